"""How many channels of each group stay: a rate for each part, floors for each group."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from models import Network
from models.channels import Plan
from utils.prune.gates import all_gates, gates, part_of
from utils.prune.scores import Scores, by_part


class Block(NamedTuple):
    """Channels of one group that are kept or cut together, the best first."""

    score: float
    depth: float  # the share of the group that is better
    group: str
    width: int


def floors(
    plan: Mapping[str, int], min_channels: int, round_to: int, min_share: float = 0.0
) -> Plan:
    """The narrowest plan: no group under `min_channels` nor under `min_share` of its width.

    Widths are multiples of `round_to`, but for a group that stays whole.
    """

    def least(full: int) -> int:
        return min(_rounded_up(max(min_channels, math.ceil(min_share * full)), round_to), full)

    return {group: least(full) for group, full in plan.items()}


def joint_widths(network: Network, ranked: Scores, rate: float, least: Plan, size: int) -> Plan:
    """Floors first, then the best blocks of each part, until `rate` of its channels is left out.

    Args:
        least: the floors.
        size: channels of a block.
    """
    parts = {group: part_of(members) for group, members in gates(network).items()}
    counts = dict(least)
    for part in set(parts.values()):
        groups = [group for group in ranked if parts[group] == part]
        total = sum(len(ranked[group]) for group in groups)
        left = total - int(total * rate) - sum(counts[group] for group in groups)
        for block in best_blocks({group: ranked[group] for group in groups}, counts, size):
            if 2 * left < block.width:  # the rate is nearer without it
                break
            counts[block.group] += block.width
            left -= block.width
    return counts


def max_count_widths(network: Network, rate: float, least: Plan, size: int) -> Plan:
    """The release: the largest count of a group's gates over their part's threshold, rounded up."""
    return {
        group: min(_rounded_up(max(count, least[group]), size), network.plan[group])
        for group, count in _max_counts(network, rate).items()
    }


def uniform_widths(plan: Mapping[str, int], rate: float, least: Plan, size: int) -> Plan:
    """Every width times 1 - rate, to the nearest multiple of `size`, and no less than `least`."""
    counts = {}
    for group, full in plan.items():
        wanted = full - full * rate
        below = int(wanted / size) * size
        above = min(below + size, full)
        nearest = below if wanted - below < above - wanted else above
        counts[group] = max(nearest, least[group])
    return counts


def best_blocks(ranked: Scores, counts: Plan, size: int) -> list[Block]:
    """Blocks of `size` channels beyond the `counts` best of each group; the best comes first.

    Among equal scores those that are better within their own group come first: with most gates at
    zero, no group would else stay whole only for being early in the plan.
    """
    blocks = [b for group, score in ranked.items() for b in _blocks(group, score, counts, size)]
    return sorted(blocks, key=lambda block: (-block.score, block.depth))


def _blocks(group: str, score: Tensor, counts: Plan, size: int) -> list[Block]:
    """Blocks of a group, in order; each has its channels' mean score."""
    ordered = score.double().sort(descending=True).values
    return [
        Block(part.mean().item(), start / len(score), group, len(part))
        for start in range(counts[group], len(score), size)
        for part in (ordered[start : start + size],)
    ]


def _max_counts(network: Network, rate: float) -> Plan:
    """The release: threshold = sorted(|gamma|)[int(N * rate)], kept if above it."""
    threshold = {
        part: torch.cat(scales).sort().values[int(sum(map(len, scales)) * rate)]
        for part, scales in by_part([gate for _, gate in all_gates(network)]).items()
    }
    return {
        group: max(int((g.scale.abs() > threshold[g.part]).sum()) for g in members)
        for group, members in gates(network).items()
    }


def _rounded_up(count: int, to: int) -> int:
    return math.ceil(count / to) * to
