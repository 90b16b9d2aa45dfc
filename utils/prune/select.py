"""Which channels to keep: scores from the gates, a rate for each part, floors for each group."""

import math
from typing import Literal, NamedTuple

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
        round_to: widths are multiples of it (but for a group that stays whole). `joint` rounds up
            and down, so that the rate holds to half of it for each part; `max_count` rounds up.
    """
    ranked = scores(network)
    if ties == "joint":
        parts = {group: part_of(members) for group, members in gates(network).items()}
        counts = _joint_counts(ranked, parts, rate, min_channels, round_to)
    else:
        counts = {
            group: min(_rounded_up(max(count, min_channels), round_to), network.plan[group])
            for group, count in _max_counts(network, rate).items()
        }
    keep = {}
    for group, score in ranked.items():
        order = score.argsort(descending=True, stable=True)
        keep[group] = sorted(order[: counts[group]].tolist())
    return keep


def reached(network: Network, keep: Keep) -> dict[Part, float]:
    """The share of each part's channels that `keep` cuts."""
    full: dict[Part, int] = {}
    kept: dict[Part, int] = {}
    for group, members in gates(network).items():
        part = part_of(members)
        full[part] = full.get(part, 0) + network.plan[group]
        kept[part] = kept.get(part, 0) + len(keep[group])
    return {part: 1 - kept[part] / full[part] for part in full}


def tell_rate(
    network: Network, keep: Keep, rate: float, *, ties: str, min_channels: int, round_to: int
) -> str:
    """What was cut of each part where that is not `rate`, by more than 1 %, and why; else nothing.

    The options are those of `select`.
    """
    parts = reached(network, keep)
    if all(abs(share - rate) <= 0.01 for share in parts.values()):
        return ""
    shares = " and ".join(f"{share:.0%} of the {part}'s" for part, share in parts.items())
    causes = [f"prune.min_channels={min_channels}"]
    causes += [f"prune.round_to={round_to}"] if round_to > 1 else []
    causes += ["prune.ties=max_count"] if ties == "max_count" else []
    return (
        f"prune.rate={rate} asks for {rate:.0%} of the channels, but {shares} are cut: "
        f"{' and '.join(causes)} decided the rest"
    )


class _Block(NamedTuple):
    """Channels of one group that are kept or cut together, the best first."""

    score: float
    depth: float  # the share of the group that is better
    group: str
    width: int


def _joint_counts(
    ranked: Scores, parts: dict[str, Part], rate: float, min_channels: int, round_to: int
) -> dict[str, int]:
    """How many of each group stay: floors first, then the best blocks of each part.

    Among equal scores the blocks that are better within their own group come first: with most
    gates at zero, no group would else stay whole only for being early in the plan.
    """
    counts = {
        group: min(_rounded_up(min_channels, round_to), len(score))
        for group, score in ranked.items()
    }
    for part in set(parts.values()):
        groups = [group for group in ranked if parts[group] == part]
        total = sum(len(ranked[group]) for group in groups)
        left = total - int(total * rate) - sum(counts[group] for group in groups)
        blocks = [b for g in groups for b in _blocks(g, ranked[g], counts[g], round_to)]
        for block in sorted(blocks, key=lambda block: (-block.score, block.depth)):
            if 2 * left < block.width:  # the rate is nearer without it
                break
            counts[block.group] += block.width
            left -= block.width
    return counts


def _blocks(group: str, score: Tensor, first: int, size: int) -> list[_Block]:
    """Blocks of `size` channels from the `first` best on; each has its channels' mean score."""
    ordered = score.double().sort(descending=True).values
    return [
        _Block(part.mean().item(), start / len(score), group, len(part))
        for start in range(first, len(score), size)
        for part in (ordered[start : start + size],)
    ]


def _rounded_up(count: int, to: int) -> int:
    return math.ceil(count / to) * to


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
