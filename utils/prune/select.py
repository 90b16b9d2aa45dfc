"""Which channels to keep: as many of each group as a rate or a budget leaves, the best first."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import torch

from models import Network
from models.channels import Plan
from utils.prune.gates import Part, gates, part_of
from utils.prune.scores import Scores, scores
from utils.prune.widths import Budget, Ties, floors, widths_at

if TYPE_CHECKING:
    from utils.config.options import PruneConfig

Keep = dict[str, list[int]]


def options_of(prune: PruneConfig) -> dict[str, Any]:
    """The options of `select` that a config has."""
    options = prune.model_dump(include={"ties", "min_channels", "min_share", "round_to", "keep"})
    return options | {"ties": "uniform"} if prune.criterion == "uni" else options


def select(
    network: Network,
    rate: float | None,
    *,
    ties: Ties = "joint",
    min_channels: int = 1,
    round_to: int = 1,
    ranked: Scores | None = None,
    min_share: float = 0.0,
    keep: Collection[str] = (),
    budget: Budget | None = None,
) -> Keep:
    """The channels to keep, `{group: sorted indices}`, when `rate` of each part's channels goes.

    Args:
        rate: share of the channels to cut, in [0, 1); None where a budget finds it.
        ties: `joint` ranks a group's channels by their joint score. `max_count` counts as the
            release of DCP does: every gate for itself against its part's threshold, the largest
            count of a tied group; only the counts mean something then. `uniform` cuts `rate` of
            every group.
        min_channels: no group falls under it (but for a group that is narrower). `joint` takes
            what that costs from the other groups; the rate holds as long as floors leave room.
        min_share: nor under this share of its channels.
        keep: groups that stay whole.
        round_to: widths are multiples of it (but for a group that stays whole). `joint` rounds up
            and down, so that the rate holds to half of it for each part; `max_count` rounds up.
        ranked: scores of the channels, a group without stays whole; None takes those of the gates.
        budget: what the cut network costs, in place of `rate`.
    """
    ranked = scores(network) if ranked is None else ranked
    keep = {*keep, *(network.plan.keys() - ranked.keys())}
    least = floors(network.plan, min_channels, round_to, min_share, keep)

    def at(rate: float) -> Plan:
        return widths_at(network, ranked, rate, ties, least, round_to)

    if budget and ties == "uniform":
        alike = {group: torch.ones_like(score) for group, score in ranked.items()}
        widths = budget.widths(at, alike)
    else:
        widths = budget.widths(at, ranked) if budget else at(rate)
    return {
        group: sorted(score.argsort(descending=True, stable=True)[: widths[group]].tolist())
        for group, score in ranked.items()
    }


def reached(network: Network, keep: Keep) -> dict[Part, float]:
    """The share of each part's channels that `keep` cuts."""
    full: dict[Part, int] = {}
    kept: dict[Part, int] = {}
    for group, members in gates(network).items():
        part = part_of(members)
        full[part] = full.get(part, 0) + network.plan[group]
        kept[part] = kept.get(part, 0) + len(keep[group])
    return {part: 1 - kept[part] / full[part] for part in full}


def rate_message(
    network: Network,
    kept: Keep,
    rate: float,
    *,
    ties: Ties,
    min_channels: int,
    round_to: int,
    min_share: float = 0.0,
    keep: Collection[str] = (),
) -> str:
    """What was cut of each part where that is not `rate`, by more than 1 %, and why; else nothing.

    The options are those of `select`.
    """
    parts = reached(network, kept)
    if all(abs(share - rate) <= 0.01 for share in parts.values()):
        return ""
    shares = " and ".join(f"{share:.0%} of the {part}'s" for part, share in parts.items())
    causes = [f"prune.min_channels={min_channels}"]
    causes += [f"prune.min_share={min_share}"] if min_share else []
    causes += [f"prune.round_to={round_to}"] if round_to > 1 else []
    causes += [f"prune.keep=[{', '.join(keep)}]"] if keep else []
    causes += ["prune.ties=max_count"] if ties == "max_count" else []
    return (
        f"prune.rate={rate} asks for {rate:.0%} of the channels, but {shares} are cut: "
        f"{' and '.join(causes)} decided the rest"
    )
