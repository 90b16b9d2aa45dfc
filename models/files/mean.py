"""One network from several that were trained on from the same weights: the mean of theirs."""

import copy
from collections.abc import Mapping

import torch

from models.errors import InputError
from models.network import Network


def mean(networks: Mapping[str, Network]) -> Network:
    """A new network in evaluation mode, whose weights and statistics are the means of the given.

    Networks that were trained on from one, on other samples or for another time, lie so close that
    their mean is often better than each (WiSE-FT, Wortsman et al., CVPR 2022; model soups, ICML
    2022). Networks trained apart have no such mean. Integers are those of the first.

    Args:
        networks: by the names that errors call them.

    Raises:
        InputError: networks of different names, structures or plans.
    """
    (first, one), *others = networks.items()
    for name, other in others:
        for what in ("name", "structure", "plan"):
            if getattr(one, what) != getattr(other, what):
                raise InputError(
                    f"{name}: has another {what} than {first}; a mean needs networks that were "
                    "trained on from one"
                )
    result = copy.deepcopy(one).eval()
    states = [network.state_dict() for network in networks.values()]
    for key, value in result.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.stack([state[key] for state in states]).mean(0))
    return result
