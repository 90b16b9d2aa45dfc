"""Cut channels out of a network: generic over every network that names its channels."""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from models import Network
from models.channels import Plan
from models.errors import InputError
from utils.prune.select import Keep


@torch.no_grad()
def cut(network: Network, keep: Mapping[str, Sequence[int] | Tensor]) -> Network:
    """The same network with only the kept channels, their weights and statistics.

    It computes what `network` computes with the removed channels silenced (scale and shift of
    every writer zero). Spectral norms and learned scales become part of the weights first: of
    fewer channels they would be others.

    Args:
        keep: `{group: kept indices, ascending}`, a list, tuple, range or tensor of whole numbers;
            a group that is absent stays whole.

    Raises:
        InputError: an unknown group, no index left, or indices of another kind, out of range or
            out of order.
    """
    keep = {group: _checked(group, indices, network.plan) for group, indices in keep.items()}
    plain = network.folded(norms=False)
    plan = plain.plan | {group: len(indices) for group, indices in keep.items()}
    small = type(plain).blank(plan, **plain.structure).to(next(plain.parameters()))
    axes = plain.entry_axes()
    small.load_state_dict(
        {
            entry: _sliced(value, axes[entry], keep, plain.widths)
            for entry, value in plain.state_dict().items()
        }
    )
    return small.train(network.training)


def _sliced(
    value: Tensor,
    axes: tuple[str | tuple[str, ...] | None, ...],
    keep: Keep,
    widths: Mapping[str, int],
) -> Tensor:
    for axis, groups in enumerate(axes):
        groups = (groups,) if isinstance(groups, str) else groups or ()
        if any(group in keep for group in groups):
            kept = torch.tensor(_kept(groups, keep, widths), device=value.device)
            value = value.index_select(axis, kept)
    return value


def _kept(groups: tuple[str, ...], keep: Keep, widths: Mapping[str, int]) -> list[int]:
    """The places that stay of a concatenation: those kept of each group, one after the other."""
    indices, start = [], 0
    for group in groups:
        indices += [start + i for i in keep.get(group, range(widths[group]))]
        start += widths[group]
    return indices


def _checked(group: str, indices: Sequence[int] | Tensor, plan: Plan) -> list[int]:
    if group not in plan:
        raise InputError(f"keep: no group named {group!r}; there are {', '.join(plan)}")
    indices = indices.tolist() if isinstance(indices, Tensor) else indices
    numbers = isinstance(indices, (list, tuple, range)) and all(type(i) is int for i in indices)
    if not numbers:  # a mask of booleans is none
        raise InputError(f"keep: {group} takes a list of whole numbers; give the indices as one")
    if not indices:
        raise InputError(f"keep: nothing left of {group}; keep one channel at least")
    ascending = all(a < b for a, b in itertools.pairwise(indices))
    if not ascending or indices[0] < 0 or indices[-1] >= plan[group]:
        raise InputError(f"keep: {group} takes ascending indices from 0 to {plan[group] - 1}")
    return list(indices)
