"""Budgets: the widths that cost what was asked for, by bisection on the share that is cut."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from models import Network
from models.channels import Plan
from models.errors import InputError
from utils.networks import cost
from utils.prune.scores import Scores
from utils.prune.widths import Block, best_blocks, floors

if TYPE_CHECKING:
    from utils.config.options import BudgetConfig, PruneConfig


class Search(NamedTuple):
    """How long is searched for the plan of a budget."""

    near: float  # ends as soon as a plan is off by so much
    finest: float = 0.0  # goes no further than to this share of a path
    repeats: int = 1  # begins anew where the plan that was found is off by more than twice `near`


COUNTED = Search(near=0.005)
MEASURED = Search(near=0.03, finest=1 / 64, repeats=3)  # no two measured times are the same
Cost = Callable[[Plan], float]


class Tried(NamedTuple):
    """A plan and what it costs."""

    plan: Plan
    cost: float


class Budget:
    """What a cut of `network` may cost.

    Args:
        network: in full width, on the device whose time counts.
        options: what is asked for, and the floors.

    Raises:
        InputError: it is less than the floors cost, or more than the full network.
    """

    def __init__(self, network: Network, prune: PruneConfig) -> None:
        self._options, self._plan = prune.budget, network.plan
        least = floors(network.plan, prune.min_channels, prune.round_to, prune.min_share)
        options = prune.budget
        self._cost = _cost(network.folded(norms=False), options)
        self._how = MEASURED if options.unit == "milliseconds" else COUNTED
        lowest, self.full = self._cost(least), self._cost(network.plan)
        asked = getattr(options, options.unit)
        self.wanted = asked * self.full if asked <= 1 else asked
        self._ends = Tried(least, lowest), Tried(network.plan, self.full)
        self._best = min(self._ends, key=self._off)
        if not lowest <= self.wanted <= self.full and not self._found():
            floor = "min_channels and min_share" if prune.min_share else "min_channels"
            raise InputError(
                f"prune.budget.{options.unit}={asked:g}: choose from {self._told(lowest)} (the "
                f"floors, prune.{floor}) to {self._told(self.full)} (the full network), "
                f"{lowest / self.full:.3g} to 1 as a share"
            )

    def widths(self, at: Callable[[float], Plan], ranked: Scores, size: int) -> Plan:
        """The plan that costs what is wanted, as nearly as floors and rounding allow.

        Args:
            at: the plan at a rate.
            ranked: scores of the channels.
            size: widths are multiples of it.
        """
        found = []
        for _ in range(self._how.repeats):
            self._best = min(self._ends, key=self._off)
            self._search(at, ranked, size)
            # Of many measured times one is near by chance.
            found.append(self._best._replace(cost=self._cost(self._best.plan)))
            if self._off(found[-1]) <= 2 * self._how.near:
                break
        self._best = min(found, key=self._off)
        return self._best.plan

    def tell(self) -> str:
        """What was asked for and what the plan costs that was found."""
        reached = self._best.cost
        told = f"prune.budget: {self._told(self.wanted)} wanted, {self._told(reached)} reached"
        return f"{told} ({reached / self.wanted - 1:+.1%})"

    def _search(self, at: Callable[[float], Plan], ranked: Scores, size: int) -> None:
        """Bisect the rate; where one step of it is too coarse, add the best blocks that fit."""
        total, (least, _) = sum(self._plan.values()), self._ends
        _, plan = self._last_within(lambda k: at(1 - k / total) if k else least.plan, total)
        blocks = best_blocks(ranked, plan, size)
        while blocks and not self._found() and not self._how.finest:
            count, plan = self._last_within(partial(_widened, plan, blocks), len(blocks))
            too_dear = {block.group for block in blocks[count : count + 1]}
            blocks = [block for block in blocks[count:] if block.group not in too_dear]

    def _last_within(self, path: Callable[[int], Plan], length: int) -> tuple[int, Plan]:
        """The last step of a path of growing plans that costs no more than is wanted.

        Its first plan, at 0, is taken to fit. Ends as soon as a plan is near enough.
        """
        low, high = 0, length + 1
        while high - low > max(1, self._how.finest * length) and not self._found():
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits(path(middle)) else (low, middle)
        return low, path(low)

    def _fits(self, plan: Plan) -> bool:
        tried = Tried(plan, self._cost(plan))
        self._best = min(self._best, tried, key=self._off)
        return tried.cost <= self.wanted

    def _off(self, tried: Tried) -> float:
        return abs(tried.cost / self.wanted - 1)

    def _found(self) -> bool:
        return self._off(self._best) <= self._how.near

    def _told(self, amount: float) -> str:
        unit, side = self._options.unit, self._options.side
        if unit == "parameters":
            return f"{amount:,.0f} parameters"
        if unit == "macs":
            return f"{amount / 1e9:.4g} GMACs at {side}"
        return f"{amount:.3g} ms at {side}"


def _widened(plan: Plan, blocks: list[Block], count: int) -> Plan:
    """The plan with the first `count` blocks."""
    wider = dict(plan)
    for block in blocks[:count]:
        wider[block.group] += block.width
    return wider


def _cost(network: Network, options: BudgetConfig) -> Cost:
    """What a network costs on another plan, in the unit of the budget."""
    if options.unit == "parameters":
        return partial(cost.parameters, network)
    if options.unit == "macs":
        return partial(cost.macs, network, options.side, options.side)
    return cost.Latency(network, options.side)
