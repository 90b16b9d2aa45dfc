"""Budgets: the cut network costs what was asked for, floors and rounding respected."""

import pytest
import torch

import models
from models.network import Network
from tests.refusals import refused
from utils.config.options import BudgetConfig, PruneConfig
from utils.networks import cost
from utils.prune import Budget, cut, gates, select

UNITS = {"parameters": cost.parameters, "macs": lambda network: cost.macs(network, 224, 224)}


def gated_dim(seed: int, width: float = 0.25, zeros: float = 0.0) -> Network:
    """Gates of random sizes, layers of other strength, a share of them exactly zero."""
    network = models.build("dim", models.scaled_plan("dim", width))
    generator = torch.Generator().manual_seed(seed)
    for members in gates(network).values():
        for gate in members:
            drawn = torch.rand(len(gate.scale), generator=generator)
            gone = torch.rand(len(drawn), generator=generator) < zeros
            gate.scale.data = drawn.masked_fill(gone, 0) * torch.rand(1, generator=generator)
    return network


def options(unit: str, amount: float, **others: object) -> PruneConfig:
    return PruneConfig(rate=None, budget=BudgetConfig(**{unit: amount}), **others)


def chosen(network: Network, prune: PruneConfig) -> tuple[Network, Budget]:
    """The network cut to a budget."""
    budget = Budget(network, prune)
    how = {key: getattr(prune, key) for key in ("ties", "min_channels", "round_to")}
    return cut(network, select(network, None, **how, budget=budget)), budget


@pytest.mark.parametrize(
    ("unit", "share", "others"),
    [
        ("parameters", 0.5, {}),
        ("parameters", 0.05, {"min_channels": 4}),
        ("parameters", 0.9, {"round_to": 8}),
        ("parameters", 0.3, {"ties": "max_count"}),
        ("parameters", 0.4, {"ties": "max_count", "round_to": 8}),
        ("macs", 0.25, {"round_to": 8}),
    ],
)
@pytest.mark.parametrize("zeros", [0.0, 0.9])
def test_a_budget_is_met_within_2_percent(unit, share, others, zeros):
    network = gated_dim(seed=int(100 * share), zeros=zeros)
    prune = options(unit, share, **others)
    small, budget = chosen(network, prune)
    assert UNITS[unit](small) == pytest.approx(share * UNITS[unit](network), rel=0.02)
    assert f"{UNITS[unit](small) / budget.amount - 1:+.1%}" in budget.message()
    for group, width in small.plan.items():
        assert width >= min(prune.min_channels, network.plan[group])
        assert width % prune.round_to == 0 or width == network.plan[group]


def test_a_uniform_network_meets_a_budget_with_all_widths_alike():
    network = gated_dim(0)
    budget = Budget(network, options("parameters", 0.3))
    kept = select(network, None, ties="uniform", min_channels=8, budget=budget)
    assert cost.parameters(cut(network, kept)) == pytest.approx(budget.amount, rel=0.02)
    shares = [len(kept[group]) / width for group, width in network.plan.items()]
    assert max(shares) - min(shares) < 1 / min(network.plan.values())


def test_groups_that_no_gate_writes_count_as_wide_as_they_stay():
    network = models.build("indexnet", models.scaled_plan("indexnet", 1 / 8), index="holistic")
    small, budget = chosen(network, options("parameters", 0.6, min_channels=2))
    assert small.plan["index0"] == network.plan["index0"]
    assert cost.parameters(small) == pytest.approx(budget.amount, rel=0.02)


@pytest.mark.parametrize("share", [0.35, 0.6])
def test_steps_too_coarse_for_a_budget_leave_room_for_smaller_ones(share):
    network = gated_dim(5, 1 / 8)
    small, budget = chosen(network, options("parameters", share, round_to=16))
    assert cost.parameters(small) == pytest.approx(budget.amount, rel=0.02)


def test_macs_are_counted_at_the_side_that_is_asked_for():
    network = gated_dim(0, 1 / 16)
    prune = PruneConfig(rate=None, budget=BudgetConfig(macs=2e6, at=64), min_channels=2)
    small, budget = chosen(network, prune)
    assert cost.macs(small, 64, 64) == pytest.approx(2e6, rel=0.02)
    assert "GMACs at 64" in budget.message()


def test_the_ends_of_the_range_can_be_asked_for():
    network = gated_dim(1, 1 / 16)
    small, _ = chosen(network, options("parameters", 1.0, min_channels=2))
    assert small.plan == network.plan
    least = dict.fromkeys(network.plan, 2)
    floor = cost.parameters(network, least)
    small, _ = chosen(network, options("parameters", floor, min_channels=2))
    assert small.plan == least


class Clock:
    """Times that follow the parameters, each off by up to 4 %."""

    def __init__(self, network: Network, side: int) -> None:
        self._network = network
        self._noise = torch.Generator().manual_seed(0)

    def exactly(self, plan: dict[str, int]) -> float:
        return cost.parameters(self._network, plan) / 1e6

    def __call__(self, plan: dict[str, int]) -> float:
        return self.exactly(plan) * (0.96 + 0.08 * torch.rand(1, generator=self._noise).item())


def test_a_measured_time_is_met_within_10_percent(monkeypatch, share=0.6):
    monkeypatch.setattr(cost, "Latency", Clock)
    network = gated_dim(0, 1 / 16)
    prune = options("milliseconds", share, min_channels=2)
    small, budget = chosen(network, prune)
    clock = Clock(network, 320)
    assert clock.exactly(small.plan) == pytest.approx(share * clock.exactly(network.plan), rel=0.1)
    assert " ms at 320 reached (" in budget.message()


def test_times_of_other_plans_are_relative_to_the_network(monkeypatch):
    measured = iter([[8.0], [8.0], [16.0, 4.0], [16.0, 3.0], [16.0, 3.0]])
    monkeypatch.setattr(cost, "milliseconds", lambda *_, **__: next(measured))
    network = gated_dim(0, 1 / 16)
    latency = cost.Latency(network, 64)
    assert latency(network.plan) == 8 * 3 / 16
    assert next(measured, None) is None


@pytest.mark.parametrize(
    ("unit", "amount"), [("parameters", 0.001), ("parameters", 1e9), ("macs", 10)]
)
def test_an_impossible_budget_is_refused_with_what_can_be(unit, amount):
    network = gated_dim(0, 1 / 16)
    line = refused(Budget, network, options(unit, amount, min_channels=2))
    assert line.startswith(f"prune.budget.{unit}={amount:g}: choose from ")
    full = UNITS[unit](network)
    told = f"{full:,} parameters" if unit == "parameters" else f"{full / 1e9:.4g} GMACs at 224"
    assert f"to {told} (the full network)" in line
