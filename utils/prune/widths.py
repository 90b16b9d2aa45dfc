"""How many channels of each group stay: at a rate for each part, or within a budget."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from models import Network
from models.channels import Plan
from models.errors import InputError
from utils.networks import cost
from utils.prune.gates import all_gates, by_part, gates, part_of
from utils.prune.scores import Scores

if TYPE_CHECKING:
    from utils.config.options import PerCost, PruneConfig

Ties = Literal["joint", "max_count", "uniform"]
MEASURABLE = 0.005  # of a network's milliseconds


def floors(
    plan: Mapping[str, int],
    min_channels: int,
    round_to: int,
    min_share: float = 0.0,
    keep: Collection[str] = (),
) -> Plan:
    """The narrowest plan: no group under `min_channels` nor under `min_share` of its width.

    Widths are multiples of `round_to`, but for a group that stays whole, as those of `keep` do.
    """

    def least(full: int) -> int:
        return min(_rounded_up(max(min_channels, math.ceil(min_share * full)), round_to), full)

    return {group: full if group in keep else least(full) for group, full in plan.items()}


def widths_at(
    network: Network, ranked: Scores, rate: float, ties: Ties, least: Plan, round_to: int
) -> Plan:
    """The plan when `rate` of the channels goes; the options are those of `select`.

    Args:
        least: the floors.
    """
    if ties == "uniform":
        return _uniform_widths(network.plan, rate, least, round_to)
    if ties == "joint":
        return _joint_widths(network, ranked, rate, least, round_to)
    return {  # the release
        group: min(_rounded_up(max(count, least[group]), round_to), network.plan[group])
        for group, count in _max_counts(network, rate).items()
    }


def _joint_widths(network: Network, ranked: Scores, rate: float, least: Plan, size: int) -> Plan:
    """Floors first, then the best blocks of each part, until `rate` of its channels is left out."""
    parts = {group: part_of(members) for group, members in gates(network).items()}
    widths = dict(least)
    for part in set(parts.values()):
        members = {group: score for group, score in ranked.items() if parts[group] == part}
        total = sum(map(len, members.values()))
        left = total - int(total * rate) - sum(widths[group] for group in members)
        for block in _best_blocks(members, widths, size):
            if 2 * left < block.width:  # the rate is nearer without it
                break
            widths[block.group] += block.width
            left -= block.width
    return widths


def _uniform_widths(plan: Mapping[str, int], rate: float, least: Plan, size: int) -> Plan:
    """Every width times 1 - rate, to the nearest multiple of `size`, and no less than `least`."""
    widths = {}
    for group, full in plan.items():
        exact = full - full * rate
        below = int(exact / size) * size
        above = min(below + size, full)
        nearest = below if exact - below < above - exact else above
        widths[group] = max(nearest, least[group])
    return widths


def _max_counts(network: Network, rate: float) -> Plan:
    """The release: threshold = sorted(|gamma|)[int(N * rate)] of a part, kept if above it.

    Of a group's gates the largest count.
    """
    threshold = {
        part: scales.sort().values[int(len(scales) * rate)]
        for part, scales in by_part([gate for _, gate in all_gates(network)]).items()
    }
    return {
        group: max(int((g.scale.abs() > threshold[g.part]).sum()) for g in members)
        for group, members in gates(network).items()
    }


class _Block(NamedTuple):
    """Channels of one group that are kept or cut together, the best first."""

    score: float
    depth: float  # the share of the group that is better
    group: str
    width: int


def _best_blocks(ranked: Scores, widths: Plan, size: int) -> list[_Block]:
    """Blocks of `size` channels beyond the `widths` best of each group; the best comes first.

    A block has its channels' mean score. Among equal ones those that are better within their own
    group come first: with most gates at zero, no group would else stay whole only for being early
    in the plan.
    """
    blocks = []
    for group, score in ranked.items():
        ordered = score.double().sort(descending=True).values
        for start in range(widths[group], len(score), size):
            part = ordered[start : start + size]
            blocks.append(_Block(part.mean().item(), start / len(score), group, len(part)))
    present = [block for block in blocks if block.score > -math.inf]  # not cut before
    return sorted(present, key=lambda block: (-block.score, block.depth))


def _rounded_up(count: int, to: int) -> int:
    return math.ceil(count / to) * to


class _Tried(NamedTuple):
    """A plan and what it costs."""

    plan: Plan
    cost: float


class Budget:
    """What a cut of `network` may cost; finds the widths by bisection on the share that is cut.

    Args:
        network: in full width, on the device whose time counts.
        prune: what is asked for, and the floors.

    Raises:
        InputError: it is less than the floors cost, or more than the full network.
    """

    def __init__(self, network: Network, prune: PruneConfig) -> None:
        self._options, self._size, self._plan = prune.budget, prune.round_to, network.plan
        unit, measured = prune.budget.unit, prune.budget.unit == "milliseconds"
        self._cost = _cost_of(network.folded(norms=False), unit, prune.budget.side)
        # Off by so much is near enough. No two measured times are the same: their bisection ends
        # early, and begins anew where the plan that it found is off by more than twice as much.
        self._near, self._finest, self._repeats = (0.03, 1 / 64, 3) if measured else (0.005, 0.0, 1)
        names = ("min_channels", "min_share", "keep")
        least = floors(network.plan, **prune.model_dump(include={*names, "round_to"}))
        lowest, self.full = self._cost(least), self._cost(network.plan)
        asked = getattr(prune.budget, unit)
        self.amount = asked * self.full if asked <= 1 else asked
        self._ends = _Tried(least, lowest), _Tried(network.plan, self.full)
        self._best = min(self._ends, key=self._off)
        if not lowest <= self.amount <= self.full and not self._is_near():
            given = {name: getattr(prune, name) for name in names if getattr(prune, name)}
            given |= {"keep": f"[{', '.join(prune.keep)}]"} if prune.keep else {}
            floor = " and ".join(f"{name}={value}" for name, value in given.items())
            raise InputError(
                f"prune.budget.{unit}={asked:g}: choose from {self._in_words(lowest)} (the "
                f"floors, prune.{floor}) to {self._in_words(self.full)} (the full network), "
                f"{lowest / self.full:.3g} to 1 as a share"
            )

    def widths(self, at: Callable[[float], Plan], ranked: Scores) -> Plan:
        """The plan that costs that amount, as nearly as floors and rounding allow.

        Args:
            at: the plan at a rate.
            ranked: scores of the channels; a group without stays whole.
        """
        plans = []
        if whole := self._plan.keys() - ranked.keys():
            least = self._ends[0].plan | {group: self._plan[group] for group in whole}
            self._ends = _Tried(least, self._cost(least)), self._ends[1]
        for _ in range(self._repeats):
            self._best = min(self._ends, key=self._off)
            self._search(at, ranked)
            # Of many measured times one is near by chance.
            plans.append(self._best._replace(cost=self._cost(self._best.plan)))
            if self._off(plans[-1]) <= 2 * self._near:
                break
        self._best = min(plans, key=self._off)
        return self._best.plan

    def message(self) -> str:
        """What was asked for and what the plan costs that was found."""
        reached = self._best.cost
        amounts = f"{self._in_words(self.amount)} wanted, {self._in_words(reached)} reached"
        return f"prune.budget: {amounts} ({reached / self.amount - 1:+.1%})"

    def _search(self, at: Callable[[float], Plan], ranked: Scores) -> None:
        """Bisect the rate; where one step of it is too coarse, add the best blocks that fit."""
        total, (least, _) = sum(self._plan.values()), self._ends
        _, plan = self._last_within(lambda k: at(1 - k / total) if k else least.plan, total)
        blocks = _best_blocks(ranked, plan, self._size)
        while blocks and not self._is_near() and not self._finest:
            count, plan = self._last_within(partial(_widened, plan, blocks), len(blocks))
            too_dear = {block.group for block in blocks[count : count + 1]}
            blocks = [block for block in blocks[count:] if block.group not in too_dear]

    def _last_within(self, path: Callable[[int], Plan], length: int) -> tuple[int, Plan]:
        """The last step of a path of growing plans that costs no more than the amount.

        Its first plan, at 0, is taken to fit. Ends as soon as a plan is near enough.
        """
        low, high = 0, length + 1
        while high - low > max(1, self._finest * length) and not self._is_near():
            middle = (low + high) // 2
            plan = path(middle)
            tried = _Tried(plan, self._cost(plan))
            self._best = min(self._best, tried, key=self._off)
            low, high = (middle, high) if tried.cost <= self.amount else (low, middle)
        return low, path(low)

    def _off(self, tried: _Tried) -> float:
        return abs(tried.cost / self.amount - 1)

    def _is_near(self) -> bool:
        return self._off(self._best) <= self._near

    def _in_words(self, amount: float) -> str:
        unit, side = self._options.unit, self._options.side
        if unit == "parameters":
            return f"{amount:,.0f} parameters"
        if unit == "macs":
            return f"{amount / 1e9:.4g} GMACs at {side}"
        return f"{amount:.3g} ms at {side}"


def _widened(plan: Plan, blocks: list[_Block], count: int) -> Plan:
    """The plan with the first `count` blocks."""
    wider = dict(plan)
    for block in blocks[:count]:
        wider[block.group] += block.width
    return wider


def _cost_of(network: Network, unit: str, side: int) -> Callable[[Plan], float]:
    """What a network costs on another plan, in the unit of a budget."""
    if unit == "parameters":
        return partial(cost.parameters, network)
    if unit == "macs":
        return partial(cost.macs, network, side, side)
    if unit == "memory":
        return partial(cost.memory, network, side, side)
    return cost.Latency(network, side)


def check_keep(plan: Plan, keep: Collection[str]) -> None:
    """Raise an `InputError` where `prune.keep` names a group that the plan does not have."""
    for group in keep:
        if group not in plan:
            (close,) = difflib.get_close_matches(group, plan, 1, cutoff=0)
            known = ", ".join(plan)
            raise InputError(
                f"prune.keep: no group named {group!r}; did you mean {close}? there are {known}"
            )


def per_cost(ranked: Scores, network: Network, prune: PruneConfig) -> Scores:
    """Scores divided by what a channel of the group costs, where `prune.per_cost` asks for it.

    Group Fisher (Liu et al., ICML 2021) divides by memory: it says more about time than MACs do.
    """
    if not prune.per_cost:
        return ranked
    saved = savings(network, prune.per_cost, prune.budget.side)
    return {group: score / saved[group] for group, score in ranked.items()}


def savings(network: Network, unit: PerCost, side: int) -> dict[str, float]:
    """What the network costs less with a channel less of each group, on its device.

    Milliseconds are measured with half of the group, and are those of a channel; what saves less
    than can be measured counts as that.

    Args:
        side: of the square picture.
    """
    costs = _cost_of(network.folded(norms=False), unit, side)
    full, saved = costs(network.plan), {}
    for group, width in network.plan.items():
        gone = max(1, width // 2) if unit == "milliseconds" else 1
        less = costs(network.plan | {group: width - gone}) if width > 1 else 0
        least = MEASURABLE * full if unit == "milliseconds" else 0
        saved[group] = max(full - less, least) / gone
    return saved
