"""A network from its description and weights, compared before memory is taken for it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.errors import InputError
from models.network import Network
from models.registry import blank

COUNT = "num_batches_tracked"  # files of PyTorch before 0.4.1 have none
WIDEST = 2**31


def fitted(name: object, plan: object, structure: object, weights: object) -> Network:
    """The network that has these weights, in evaluation mode on the CPU.

    It is outlined without memory first, so that a plan cannot ask for more than the weights hold.

    Raises:
        InputError: something is of another type than a description's, the weights are not those of
            the network described, or one of them is not finite.
    """
    check_types(name, plan, structure, weights)
    try:
        with torch.device("meta"):
            expected = blank(name, plan, **structure).state_dict()
    except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise InputError(f"no such network can be made ({error})") from error
    weights = {
        entry: torch.zeros((), dtype=torch.int64)
        for entry in expected
        if entry.endswith(COUNT) and entry not in weights
    } | dict(weights)
    for entry in [*expected, *weights]:
        if entry not in weights:
            raise InputError(f"{entry!r} is missing")
        if entry not in expected:
            raise InputError(f"{entry!r} is none of its entries")
        ours, theirs = expected[entry], weights[entry]
        if ours.shape != theirs.shape:
            raise InputError(f"{entry} is {tuple(theirs.shape)}, not {tuple(ours.shape)}")
        if ours.is_floating_point() != theirs.is_floating_point() or theirs.is_complex():
            raise InputError(f"{entry} is {theirs.dtype}, not {ours.dtype}")
    check_finite(weights)
    network = blank(name, plan, **structure)
    network.load_state_dict(weights)
    return network.eval()


def check_finite(weights: Mapping[str, Tensor]) -> None:
    """Raise an `InputError` that names the first entry with a value that is no finite number."""
    for entry, value in weights.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InputError(f"{entry} is not finite")


def check_types(name: object, plan: object, structure: object, weights: object) -> None:
    """Raise an `InputError` unless these are a text, and dictionaries of what each holds."""
    if not isinstance(name, str):
        raise InputError("its name is no text")
    for what, mapping in (("plan", plan), ("structure", structure), ("weights", weights)):
        if not isinstance(mapping, dict) or not all(isinstance(key, str) for key in mapping):
            raise InputError(f"its {what} is no dictionary by names")
    for group, width in plan.items():
        if type(width) is not int or not 0 < width < WIDEST:
            raise InputError(f"the width of {group!r} is no whole number from 1")
    for key, value in structure.items():
        parts = value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(part, (bool, int, float, str, type(None))) for part in parts):
            raise InputError(f"{key!r} of its structure is neither a number nor a list of them")
    for entry, value in weights.items():
        if not isinstance(value, Tensor):
            raise InputError(f"{entry!r} is no tensor")
