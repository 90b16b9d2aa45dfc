"""Criteria without gates: their scores, what a channel costs, and the cut in steps."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import models
from models.network import Network
from tests.models.small import small
from tests.refusals import refused
from tests.silencing import picture, randomised, silenced
from utils.config.options import BudgetConfig, PruneConfig
from utils.networks import cost
from utils.prune import (
    CRITERIA,
    Budget,
    check_keep,
    cut_in_steps,
    gated,
    gates,
    per_cost,
    reached,
    select,
)
from utils.prune.cut import _sliced
from utils.prune.scores import Scores
from utils.prune.widths import savings

PLAN = {group: 6 + i for i, group in enumerate(models.build("dim").plan)}
SMALL = {"rate": None, "budget": BudgetConfig(parameters=0.4), "min_channels": 2}


def random_dim() -> Network:
    torch.manual_seed(0)
    return randomised(models.build("dim", PLAN))


def inputs(network: Network) -> tuple[Tensor, ...]:
    pictures = picture(35, 40)
    return pictures[:1] if network.task == "segmentation" else pictures


def losses(network: Network) -> Iterator[Tensor]:
    """Of two batches, which pull in different directions."""
    for sign in (1, -1):
        (first, *rest) = inputs(network)
        output = network.compute(first.flip(2) if sign < 0 else first, *rest, None)
        yield sign * output.mean() + output.square().mean()


def score(criterion: str, network: Network) -> Scores:
    twin = gated(network)
    ranked = CRITERIA[criterion](twin, losses(twin))
    return {group: ranked[group] for group in gates(twin)}


def cut_by(criterion: str, network: Network, **options: object) -> tuple:
    prune = PruneConfig(criterion=criterion, **options)
    budget = Budget(network, prune) if prune.budget.unit else None
    trained = []

    def train(small: Network, k: int) -> None:
        trained.append((k, small.plan))
        for parameter in small.parameters():
            parameter.data *= 1 + 0.2 * torch.rand_like(parameter)

    found = cut_in_steps(network, prune, budget, lambda one: score(criterion, one), train)
    return *found, trained, budget


def test_magnitude_is_the_squared_norm_of_what_a_cut_removes_over_its_mean():
    network = small("mobile_unet")
    block, width = network.layer2[0], network.plan["decoder2"]
    parts = [block.expand.conv.weight, block.depthwise.conv.weight]
    parts.append(block.project.conv.weight.transpose(0, 1))
    parts += [block.expand.norm.weight[:, None], block.depthwise.norm.weight[:, None]]
    last, read = network.decoder2[-1], network.decoder1[0].conv.weight[:, :width].transpose(0, 1)
    decoder = [last.conv.weight, last.norm.weight[:, None], read]  # the first of a concatenation
    for group, weights in {"layer2.1": parts, "decoder2": decoder}.items():
        squares = sum(each.square().flatten(1).sum(1) for each in weights).detach()
        torch.testing.assert_close(score("magnitude", network)[group], squares / squares.mean())


@pytest.mark.parametrize(("name", "group"), [("dim", "encoder2.2"), ("dim_vgg", "encoder1.1")])
def test_taylor_is_the_slope_of_the_loss_as_a_channel_fades(name, group):
    network = gated(small(name))
    found = score("taylor", network)[group]
    for channel in (0, network.plan[group] - 1):
        slopes = torch.zeros(2, dtype=torch.float64)
        for step in (1e-7, -1e-7):
            faded = gated(network)
            for layer in faded.modules():
                if getattr(layer, "writes", None) == group:
                    for parameter in layer.parameters():
                        parameter.data[channel] *= 1 - step
            slopes += torch.stack([loss.detach() for loss in losses(faded)]) / (2 * step)
        torch.testing.assert_close(found[channel], slopes.abs().mean(), rtol=1e-4, atol=1e-7)


def test_fpgm_is_the_sum_of_distances_between_whole_filters_over_its_mean():
    network = random_dim()
    pair = network.encoder2.units[1].conv.weight, network.decoder3.conv.weight
    filters = [torch.cat([weight[i].flatten() for weight in pair]) for i in range(len(pair[0]))]
    sums = torch.stack([sum((a - b).norm() for b in filters) for a in filters]).detach()
    torch.testing.assert_close(score("fpgm", network)["encoder2.2"], sums / sums.mean())


def test_random_scores_follow_the_seed():
    network, found = random_dim(), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(score("random", network))
    first, again, other = (torch.cat(list(one.values())) for one in found)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert (first >= 0).all() and (first < 1).all()


@pytest.mark.parametrize("criterion", ["magnitude", "taylor", "fpgm"])
def test_scores_move_with_their_channels(criterion):
    network = random_dim()
    order = {group: torch.randperm(width).tolist() for group, width in PLAN.items()}
    moved, axes = gated(network), network.entry_axes()
    weights = network.state_dict().items()
    moved.load_state_dict({k: _sliced(v, axes[k], order, network.widths) for k, v in weights})
    before, after = score(criterion, network), score(criterion, moved)
    for group, places in order.items():
        torch.testing.assert_close(after[group], before[group][places])


@pytest.mark.parametrize(
    ("criterion", "name"),
    [("magnitude", "pspnet"), ("taylor", "mobile_unet"), ("taylor", "dim_vgg"), ("fpgm", "gca")],
)
def test_the_cut_computes_what_the_silenced_network_does(criterion, name):
    network = gated(small(name))
    cut, keep, *_ = cut_by(criterion, network, rate=0.4, min_channels=1)
    with torch.no_grad():
        with silenced(network, keep):
            expected = network.compute(*inputs(network), None)
        found = cut.compute(*inputs(network), None)
    assert (found - expected).abs().max() <= 1e-5 * (expected.max() - expected.min())
    cut_of = {group: len(keep[group]) / network.plan[group] for group in keep}
    assert min(cut_of.values()) < 0.6 <= max(cut_of.values())


@pytest.mark.parametrize("options", [SMALL, {"rate": 0.6, "min_channels": 2}])
def test_steps_reach_what_one_cut_does_and_never_take_back_a_channel(options):
    network = random_dim()
    plans = []
    for steps in (1, 3):
        cut, keep, ranked, trained, budget = cut_by("magnitude", network, steps=steps, **options)
        assert [k for k, _ in trained] == list(range(1, steps))
        plans += [*(plan for _, plan in trained), cut.plan]
        if budget:
            assert cost.parameters(cut) == pytest.approx(0.4 * cost.parameters(network), rel=0.02)
        else:
            assert all(
                share == pytest.approx(0.6, abs=0.03) for share in reached(network, keep).values()
            )
    _, first, second, last = plans
    assert all(first[group] >= second[group] >= last[group] for group in PLAN)
    shares = [sum(plan.values()) / sum(PLAN.values()) for plan in (first, second)]
    if not budget:
        assert shares == pytest.approx([0.4 ** (1 / 3), 0.4 ** (2 / 3)], abs=0.02)
    for group, score_of in ranked.items():  # of what the last cut could choose from
        assert score_of.isfinite().sum() == second[group]
        assert score_of[keep[group]].isfinite().all()


def test_each_step_looks_at_the_weights_that_were_trained_and_cuts_in_them():
    network, seen = random_dim(), []

    def mean(one: Network) -> Scores:
        seen.append(one)
        return score("magnitude", one)

    def train(one: Network, k: int) -> None:
        for parameter in one.parameters():
            parameter.data.fill_(k)

    prune = PruneConfig(criterion="magnitude", steps=3, rate=0.6)
    cut, *_ = cut_in_steps(network, prune, None, mean, train)
    assert seen[0] is network
    assert [next(one.parameters()).unique().item() for one in (*seen[1:], cut)] == [1, 2, 2]


@pytest.mark.parametrize(
    ("steps", "rate", "words"),
    [(2, 0.0, "only 0 channels"), (40, 0.2, "only 30 channels are to be cut")],
)
def test_more_steps_than_channels_are_refused_before_a_training(steps, rate, words):
    prune = PruneConfig(criterion="random", steps=steps, rate=rate)
    trained: list[int] = []
    line = refused(
        cut_in_steps, random_dim(), prune, None, lambda one: score("random", one), trained.append
    )
    assert line.startswith(f"prune.steps={steps}: only ") and words in line
    assert not trained


def test_a_channel_saves_what_it_is_written_and_read_with():
    network, side = random_dim(), 64
    macs, memory = (savings(network, unit, side) for unit in ("macs", "memory"))
    assert macs["encoder1.1"] == 9 * side**2 * (4 + PLAN["encoder1.2"])
    assert memory["encoder1.1"] == side**2
    assert macs["encoder3.1"] == 9 * (side / 4) ** 2 * (PLAN["encoder2.2"] + PLAN["encoder3.2"])
    assert memory["encoder3.1"] == (side / 4) ** 2
    assert memory["encoder1.2"] == side**2 + (side / 2) ** 2  # tied to the unpooled decoder2


def test_scores_per_cost_cut_where_channels_are_dear():
    network = random_dim()
    alike = {group: torch.ones(width) for group, width in PLAN.items()}
    alike["encoder1.1"] *= 3  # better by three, and dearer by sixteen, than those of encoder3.1
    prune = PruneConfig(criterion="magnitude", per_cost="memory")
    ranked = per_cost(alike, network, prune)
    assert ranked["encoder1.1"][0] / ranked["encoder3.1"][0] == 3 / 16
    plain, dear = (select(network, 0.5, ranked=one) for one in (alike, ranked))
    assert len(plain["encoder1.1"]) == PLAN["encoder1.1"] and len(dear["encoder1.1"]) == 1
    assert len(dear["encoder5.1"]) == PLAN["encoder5.1"] > len(plain["encoder5.1"])


class Clock:
    """Of a network's 100 ms a channel of encoder1.1 takes 2, all others nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __call__(self, plan: dict[str, int]) -> float:
        return 100 - 2.0 * (PLAN["encoder1.1"] - plan["encoder1.1"])


def test_milliseconds_are_those_of_half_a_group_and_never_less_than_can_be_measured(monkeypatch):
    monkeypatch.setattr(cost, "Latency", Clock)
    saved = savings(random_dim(), "milliseconds", 64)
    assert saved["encoder1.1"] == 2
    assert saved["encoder3.1"] == 0.5 / (PLAN["encoder3.1"] // 2)


@pytest.mark.parametrize("options", [SMALL, {"rate": 0.5, "min_channels": 2}])
def test_groups_to_keep_stay_whole_and_the_others_make_up_for_it(options):
    network = random_dim()
    keep = ("encoder1.1", "encoder4.3")
    cut, kept, _, _, budget = cut_by("magnitude", network, keep=keep, **options)
    assert all(cut.plan[group] == PLAN[group] for group in keep)
    if budget:
        assert cost.parameters(cut) == pytest.approx(budget.amount, rel=0.02)
    else:
        assert sum(map(len, kept.values())) == pytest.approx(0.5 * sum(PLAN.values()), abs=1.5)


def test_what_to_keep_is_refused_where_it_cannot_be():
    network = random_dim()
    line = refused(check_keep, network.plan, ("encoder11",))
    assert line.startswith("prune.keep: no group named 'encoder11'; did you mean encoder1.1? there")
    prune = PruneConfig(criterion="magnitude", keep=tuple(PLAN)[:9], **SMALL)
    line = refused(Budget, network, prune)
    assert line.startswith("prune.budget.parameters=0.4: choose from ")
    assert "(the floors, prune.min_channels=2 and keep=[encoder1.1, " in line
