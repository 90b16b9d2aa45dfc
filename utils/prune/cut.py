"""Cut channels out of a network: generic over every network that names its channels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from models import Network
from models.channels import Plan
from models.errors import InputError
from utils import distributed
from utils.prune.gates import gates
from utils.prune.scores import Scores
from utils.prune.select import Keep, options_of, select
from utils.prune.widths import Budget

if TYPE_CHECKING:
    from utils.config.options import PruneConfig


class Cut(NamedTuple):
    """A cut network; of the whole one the channels kept, and the scores that chose them."""

    network: Network
    keep: Keep
    scores: Scores


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


def cut_in_steps(
    network: Network,
    prune: PruneConfig,
    budget: Budget | None,
    score: Callable[[Network], Scores],
    train: Callable[[Network, int], None],
) -> Cut:
    """Cut `prune.steps` times and train in between; each cut leaves the same share.

    After cut k of K a share (1 - rate)^(k/K) of the channels is left, or b^(k/K) of the cost, for a
    budget of a share b. The rate and the floors are those of `network`.

    Args:
        network: with a gate on every group that can be cut.
        score: scores of a network's channels.
        train: trains a network in place after cut k.

    Returns:
        The scores are those at the last cut, -inf for channels that were cut before.

    Raises:
        InputError: more steps than channels to cut.
    """
    options = options_of(prune)
    goal = budget and budget.amount / budget.full

    def selected(part: float, ranked: Scores) -> Keep:
        """What stays after a part of all cuts, up to 1."""
        if distributed.rank():
            return distributed.from_first()
        if budget:
            budget.amount = budget.full * goal**part
        rate = prune.rate if budget or part == 1 else 1 - (1 - prune.rate) ** part
        keep = select(network, rate, **options, ranked=ranked, budget=budget)
        return distributed.from_first(keep)

    small, kept = network, {group: list(range(network.plan[group])) for group in gates(network)}
    for k in range(1, prune.steps + 1):
        found = score(small)
        ranked = {g: _spread(found[g], places, network.plan[g]) for g, places in kept.items()}
        if k == 1 < prune.steps:
            left = selected(1, ranked)
            gone = sum(len(kept[group]) - len(left[group]) for group in kept)
            if gone < prune.steps:
                raise InputError(
                    f"prune.steps={prune.steps}: only {gone} channels are to be cut, so a step "
                    f"would leave nothing to cut; give {max(gone, 1)} at most, or cut more"
                )
        left = selected(k / prune.steps, ranked)
        places = {group: [kept[group].index(channel) for channel in left[group]] for group in left}
        small, kept = cut(small, places), left
        if k < prune.steps:
            train(small, k)
            small.eval()
    return Cut(small, kept, ranked)


def _spread(scores: Tensor, places: Sequence[int], width: int) -> Tensor:
    """Scores at their places among `width` channels; -inf elsewhere."""
    spread = torch.full((width,), -math.inf, device=scores.device, dtype=scores.dtype)
    spread[list(places)] = scores.detach()
    return spread


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
