"""One network from several that were trained on from the same weights: the mean of theirs."""

import copy
from collections.abc import Mapping

import torch

from models.errors import InputError
from models.network import Network


def mean(networks: Mapping[str, Network]) -> Network:
    """The network whose weights and statistics of norms are the means of the given ones'.

    Networks that were trained on from one, on other samples or for another time, lie so close that
    their mean is often better than each (WiSE-FT, Wortsman et al., CVPR 2022; model soups, ICML
    2022). Networks trained apart have no such mean.

    Args:
        networks: at least one, under the names that errors call them; none is changed.

    Returns:
        A new network in evaluation mode; of integers it has those of the first.

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
    states = [network.state_dict() for network in networks.values()]
    result = copy.deepcopy(one).eval()
    result.load_state_dict(
        {
            key: torch.stack([state[key] for state in states]).mean(0)
            if value.is_floating_point()
            else value
            for key, value in states[0].items()
        }
    )
    return result
