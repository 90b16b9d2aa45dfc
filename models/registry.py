"""The networks by name, and `build`, which makes one from plain data."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from models.network import Network

# By name, so that the names can be listed without importing PyTorch.
NETWORKS = {
    "dim": "models.dim.Dim",
    "dim_vgg": "models.dim_vgg.DimVgg",
    "gca": "models.gca.Gca",
    "indexnet": "models.indexnet.IndexNet",
    "mobile_unet": "models.mobile_unet.MobileUnet",
    "pspnet": "models.pspnet.PspNet",
}
FORMS = {"gates": False, "folded": False}  # of any network, see `Network.on_plan`
MOST = 100  # layers of a block; the largest ResNet has 36
COUNT = "num_batches_tracked"  # files of PyTorch before 0.4.1 have none


def build(name: str, plan: Mapping[str, int] | None = None, **structure) -> Network:
    """A freshly initialised network.

    Args:
        name: one of `NETWORKS`.
        plan: `{group: width}` of the prunable groups; absent groups keep their full width.
        structure: what widths cannot say, such as `convolutions` of `dim`.

    Raises:
        InputError: no such network, group or structure, or an impossible value.
    """
    return checked(name, structure).on_plan(plan, **structure)


def blank(name: str, plan: Mapping[str, int] | None = None, **structure) -> Network:
    """`build` for weights that will be loaded: draws nothing from the global generator."""
    return checked(name, structure).blank(plan, **structure)


def scaled_plan(name: str, width: float, **structure) -> dict[str, int]:
    """The full plan of a network with every width times `width`, rounded, at least 1."""
    import torch

    with torch.device("meta"):  # only the plan is needed, no weights
        full = blank(name, **structure).plan
    return {group: max(1, round(width * channels)) for group, channels in full.items()}


def checked(name: str, structure: Mapping[str, object]) -> type[Network]:
    """The class of a network that has this structure.

    Raises:
        InputError: no such network, or it has no such structure.
    """
    if name not in NETWORKS:
        raise InputError(f"no network named {name!r}; there are {', '.join(NETWORKS)}")
    module, _, kind = NETWORKS[name].rpartition(".")
    network = getattr(importlib.import_module(module), kind)
    signature = inspect.signature(network).parameters.items()
    own = {key: value.default for key, value in signature if key != "channels"}
    for key, value in structure.items():
        if key not in own | FORMS:
            known = f"it has {', '.join(own)}" if own else "it has none"
            raise InputError(f"{name}: no structure named {key!r}; {known}")
        default = (own | FORMS)[key]
        if isinstance(default, bool) and not isinstance(value, bool):
            raise InputError(f"{name}: {key} is {value!r}; give true or false")
        if isinstance(default, tuple) and not _are_counts(value, len(default)):
            raise InputError(
                f"{name}: {key} is {value!r}; give {len(default)} whole numbers from 1 to {MOST}"
            )
    return network


def _are_counts(value: object, length: int) -> bool:
    right = isinstance(value, (list, tuple)) and len(value) == length
    return right and all(type(count) is int and 1 <= count <= MOST for count in value)


def with_weights(
    name: str, plan: Mapping[str, int], structure: Mapping, weights: Mapping[str, Tensor]
) -> Network:
    """The network that has these weights, in evaluation mode on the CPU.

    Raises:
        InputError: the weights are not those of the network described, or one is not finite.
    """
    import torch

    with torch.device("meta"):
        expected = blank(name, plan, **structure).state_dict()
    counts = [entry for entry in expected if entry.endswith(COUNT)]
    weights = dict.fromkeys(counts, torch.zeros((), dtype=torch.int64)) | dict(weights)
    for entry in [*expected, *weights]:
        if entry not in weights:
            raise InputError(f"{entry!r} is missing")
        if entry not in expected:
            raise InputError(f"{entry!r} is none of its entries")
        ours, theirs = expected[entry], weights[entry]
        if ours.shape != theirs.shape:
            raise InputError(f"{entry} is {tuple(theirs.shape)}, not {tuple(ours.shape)}")
    check_finite(weights)
    network = blank(name, plan, **structure)
    network.load_state_dict(weights)
    return network.eval()


def check_finite(weights: Mapping[str, Tensor]) -> None:
    """Raise an `InputError` that names the first entry with a value that is no finite number."""
    for entry, value in weights.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise InputError(f"{entry} is not finite")


def restructured(network: Network, **structure: object) -> Network:
    """A network with the weights of this one and some of its structure changed.

    Layers that are added are newly initialised. Where a layer reads more than before, its weights
    for that start at zero, so that it computes what it did.

    Raises:
        InputError: no such structure, or one that does not only add.
    """
    import torch

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
    value: Tensor,
    axis: int,
    before: str | tuple[str, ...] | None,
    now: str | tuple[str, ...] | None,
    widths: Mapping[str, int],
) -> Tensor:
    """The value with zeros where the axis reads groups that it did not read before."""
    import torch

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
