"""The same network in another structure, which adds to what it has."""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.errors import InputError
from models.network import Network
from models.registry import build, checked

AxisGroups = str | tuple[str, ...] | None


def restructured(network: Network, **structure: object) -> Network:
    """A network with the weights of this one and some of its structure changed.

    Layers that are added are newly initialised. Where a layer reads more than before, its weights
    for that start at zero, so that it computes what it did.

    Raises:
        InputError: no such structure, or one that does not only add.
    """
    structure = {**network.structure, **structure}
    with torch.device("meta"):
        outline = checked(network.name, structure).blank(**structure)
    before, now = network.entry_axes(), outline.entry_axes()
    for entry in before:
        if entry not in now:
            raise _refused(f"leaves out {entry}")
    for group in network.plan:
        if group not in outline.plan:
            raise _refused(f"leaves out the group {group}")
    larger = build(network.name, network.plan, **structure)
    weights = larger.state_dict()
    for entry, value in network.state_dict().items():
        for axis, groups in enumerate(zip(before[entry], now[entry], strict=False)):
            value = _grown(value, axis, *groups, larger.widths)
        if value.shape != weights[entry].shape:
            raise _refused(f"makes another {entry}")
        weights[entry] = value
    larger.load_state_dict(weights)
    return larger


def _grown(
    value: Tensor, axis: int, before: AxisGroups, now: AxisGroups, widths: Mapping[str, int]
) -> Tensor:
    """The value with zeros where the axis reads groups that it did not read before."""
    if before == now or not isinstance(now, tuple):
        return value
    places, start, left = [], 0, list(before or ())
    for group in now:
        if left and group == left[0]:
            places += range(start, start + widths[group])
            left.pop(0)
        start += widths[group]
    if left or len(places) != value.shape[axis]:
        return value  # of another shape than what it is for
    shape = [*value.shape]
    shape[axis] = start
    return value.new_zeros(shape).index_copy_(axis, torch.tensor(places), value)


def _refused(reason: str) -> InputError:
    return InputError(
        f"network.structure: {reason}, which the network of network.start has; only add to its "
        "structure"
    )
