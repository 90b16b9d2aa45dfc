"""Which channels to keep: scores from the gates, a rate for each part, floors for each group."""

import math
from typing import Literal

import torch
from torch import Tensor

from models import Network
from utils.prune.gates import Gate, Part, all_gates, gates, part_of

Keep = dict[str, list[int]]
Scores = dict[str, Tensor]


def scores(network: Network) -> Scores:
    """Of every channel the mean over its gates of |gamma| / mean |gamma|, `{group: (width,)}`.

    The mean below the bar runs over all gates of the gate's part, so that encoder and decoder
    gates of a tied group weigh the same although sparsity pulls them with different strength.
    """
    found = gates(network)
    mean = {
        part: torch.cat(scales).mean().clamp_min(torch.finfo(scales[0].dtype).tiny)
        for part, scales in _by_part([g for members in found.values() for g in members]).items()
    }
    return {
        group: torch.stack([g.scale.detach().abs() / mean[g.part] for g in members]).mean(0)
        for group, members in found.items()
    }


def select(
    network: Network,
    rate: float,
    *,
    ties: Literal["joint", "max_count"] = "joint",
    min_channels: int = 1,
    round_to: int = 1,
) -> Keep:
    """The channels to keep, `{group: sorted indices}`, when `rate` of each part's channels goes.

    Args:
        rate: share of the channels to cut, in [0, 1).
        ties: `joint` ranks a group's channels by their joint score. `max_count` counts as the
            release of DCP does: every gate for itself against its part's threshold, the largest
            count of a tied group; only the counts mean something then.
        min_channels: no group falls under it (but for a group that is narrower). `joint` takes
            what that costs from the other groups; the rate holds as long as floors leave room.
        round_to: widths are then rounded up to a multiple of it, which keeps a little more.
    """
    ranked = scores(network)
    if ties == "joint":
        counts = _joint_counts(network, ranked, rate, min_channels)
    else:
        counts = _max_counts(network, rate)
    keep = {}
    for group, score in ranked.items():
        count = max(counts[group], min_channels)
        count = min(math.ceil(count / round_to) * round_to, len(score))
        order = score.argsort(descending=True, stable=True)
        keep[group] = sorted(order[:count].tolist())
    return keep


def _joint_counts(
    network: Network, ranked: Scores, rate: float, min_channels: int
) -> dict[str, int]:
    """The best of each group up to its floor come first, so that floors do not change the rate."""
    parts = {group: part_of(members) for group, members in gates(network).items()}
    counts = dict.fromkeys(ranked, 0)
    for part in set(parts.values()):
        groups = [group for group in ranked if parts[group] == part]
        pool = torch.cat([_with_floor(ranked[group], min_channels) for group in groups])
        owner = [group for group in groups for _ in range(len(ranked[group]))]
        kept = len(pool) - int(len(pool) * rate)
        for index in pool.argsort(descending=True, stable=True)[:kept].tolist():
            counts[owner[index]] += 1
    return counts


def _with_floor(score: Tensor, min_channels: int) -> Tensor:
    best = score.argsort(descending=True, stable=True)[:min_channels]
    return score.index_fill(0, best, math.inf)


def _max_counts(network: Network, rate: float) -> dict[str, int]:
    """The release: threshold = sorted(|gamma|)[int(N * rate)], kept if above it."""
    threshold = {
        part: torch.cat(scales).sort().values[int(sum(map(len, scales)) * rate)]
        for part, scales in _by_part([gate for _, gate in all_gates(network)]).items()
    }
    return {
        group: max(int((g.scale.abs() > threshold[g.part]).sum()) for g in members)
        for group, members in gates(network).items()
    }


def _by_part(members: list[Gate]) -> dict[Part, list[Tensor]]:
    found: dict[Part, list[Tensor]] = {}
    for gate in members:
        found.setdefault(gate.part, []).append(gate.scale.detach().abs())
    return found
