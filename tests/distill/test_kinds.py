"""FSP and OFD; kinds by name, their stages, adapters and connectors, what cannot be compared."""

from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import models
from models.errors import InputError
from models.network import Network, Stages
from tests.reference import fill, losses
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.config.options import DistillConfig, Kind
from utils.distill import (
    Adapters,
    Distillation,
    channel_wise_loss,
    fsp_loss,
    ofd_loss,
    ofd_margin,
)
from utils.distill.kinds import KINDS
from utils.networks.cost import parameters

STAGES = ("encoder2", "encoder3", "encoder4", "encoder5")


def oracle_maps(stage: int) -> tuple[Tensor, Tensor]:
    """Student and teacher before their ReLU."""
    shape = losses()["shapes"][stage]
    return tuple(
        torch.from_numpy(2 * fill.uniform(f"{who}{stage}", shape) - 0.7)
        for who in ("student", "teacher")
    )


def plain_fsp(first: Tensor, second: Tensor) -> Tensor:
    """The FSP matrices of one network, the larger map averaged over windows."""
    if first.shape[2] > second.shape[2]:
        first = F.avg_pool2d(first, first.shape[2] // second.shape[2])
    elif first.shape[2] < second.shape[2]:
        second = F.avg_pool2d(second, second.shape[2] // first.shape[2])
    return torch.einsum("nihw,njhw->nij", first, second) / (first.shape[2] * first.shape[3])


def plain_ofd(student: Tensor, teacher: Tensor, margin: Tensor) -> float:
    """One value after the other."""
    total = 0.0
    for n, c, h, w in torch.cartesian_prod(*(torch.arange(size) for size in student.shape)):
        s, t = student[n, c, h, w].item(), max(teacher[n, c, h, w].item(), margin[c].item())
        if not s <= t <= 0:
            total += (s - t) ** 2
    return total / len(student)


def network(seed: int, width: float = 1 / 32, **structure) -> Network:
    torch.manual_seed(seed)
    return models.build("dim", models.scaled_plan("dim", width), **structure)


def stages_of(net: Network, size: int = 64) -> Stages:
    generator = torch.Generator().manual_seed(3)
    image, trimap = (torch.rand(2, c, size, size, generator=generator) for c in (3, 1))
    return net.forward_features(image, trimap)[1]


# FSP


@pytest.mark.parametrize("first", [0, 1, 2])
def test_fsp_gives_the_released_values(first):
    (s1, t1), (s2, t2) = ([x.relu() for x in oracle_maps(stage)] for stage in (first, first + 1))
    value = fsp_loss((s1, s2), (t1, t2)).item()
    assert value == pytest.approx(losses()["losses"]["FSP"][first], rel=1e-9)


@pytest.mark.parametrize("sizes", [(8, 4), (4, 8)])
def test_fsp_agrees_with_its_plain_form(sizes):
    torch.manual_seed(0)
    student, teacher = (
        [
            torch.randn(2, c, size, size, dtype=torch.float64)
            for c, size in zip((5, 3), sizes, strict=True)
        ]
        for _ in range(2)
    )
    for x in student:
        x.requires_grad_()
    value = fsp_loss(tuple(student), tuple(teacher))
    exact = F.mse_loss(plain_fsp(*student), plain_fsp(*teacher))
    torch.testing.assert_close(value, exact)
    for ours, theirs in zip(
        *(torch.autograd.grad(v, student) for v in (value, exact)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_fsp_is_accurate_near_the_teacher():
    torch.manual_seed(0)
    teacher = [torch.rand(2, 8, 24, 24) for _ in range(2)]
    student = [x + 1e-4 * torch.randn(x.shape) for x in teacher]
    exact = F.mse_loss(*(plain_fsp(*(x.double() for x in maps)) for maps in (student, teacher)))
    value = fsp_loss(tuple(student), tuple(teacher)).item()
    assert value == pytest.approx(exact.item(), rel=1e-5, abs=0)


# OFD


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_ofd_gives_the_released_values(stage):
    oracle, width = losses(), losses()["shapes"][stage][1]
    weight = torch.from_numpy(fill.uniform(f"bn{stage}.weight", (width,)) + 0.5)
    bias = torch.from_numpy(2 * fill.uniform(f"bn{stage}.bias", (width,)) - 1.5)
    margin = ofd_margin(weight, bias)
    assert margin.tolist() == pytest.approx(oracle["ofd_margins"][stage], rel=1e-9)
    assert ofd_margin(-weight, bias).tolist() == margin.tolist()
    value = ofd_loss(*oracle_maps(stage), margin).item() * 2.0 ** (stage - 3)
    assert value == pytest.approx(oracle["losses"]["OFD"][stage], rel=1e-9)


def test_margins_of_dead_and_of_almost_positive_channels_are_finite():
    weight, bias = torch.tensor([0.0, 0.0, 0.0, 0.1]), torch.tensor([0.0, -2.0, 2.0, 5.0])
    assert ofd_margin(weight, bias).tolist() == pytest.approx([0, -2, 0, -0.3])


def test_ofd_agrees_with_its_plain_form():
    torch.manual_seed(0)
    student, teacher = (torch.randn(2, 3, 4, 4, dtype=torch.float64) for _ in range(2))
    student[:, 0], teacher[0, 1] = 0, 0  # dead channels
    margin = torch.tensor([-0.5, -1.0, -0.1], dtype=torch.float64)
    student.requires_grad_()
    value = ofd_loss(student, teacher, margin)
    assert value.item() == pytest.approx(plain_ofd(student, teacher, margin))
    (gradient,) = torch.autograd.grad(value, student)
    target = teacher.maximum(margin[:, None, None])
    assert not gradient[(student <= target) & (target <= 0)].any()
    torch.testing.assert_close(gradient[target > 0], (student - target)[target > 0])


# Together


@pytest.mark.parametrize(
    ("stages", "width"),
    [
        (STAGES, 1 / 32),
        (("encoder3", "decoder4", "decoder3"), 1 / 16),
        (("encoder4", "decoder2"), 1 / 32),
    ],
)
def test_any_sum_of_kinds_over_any_stages_has_finite_gradients(stages, width):
    """Whether widths agree, as in the pruning stage, or not; channels and pixels are dead."""
    student, teacher = network(0, 1 / 32), network(1, width).eval()
    student.decoder4.norm.weight.data[0] = 0
    for k in (2, 3, 4, 5):
        getattr(student, f"encoder{k}").units[-1].norm.weight.data[0] = 0
        getattr(teacher, f"encoder{k}").units[-1].norm.bias.data[:] -= 1.5
    kinds = tuple(KINDS)
    assert get_args(Kind) == kinds
    weights = tuple(0.5 * i for i in range(len(kinds)))
    options = DistillConfig(types=kinds, weights=weights, stages=stages)
    distillation = Distillation(options, student, teacher)
    with torch.no_grad():
        wanted = stages_of(teacher)
    terms = distillation(stages_of(student), wanted)
    assert tuple(terms) == kinds
    assert all(term.isfinite() for term in terms.values())
    assert terms["spatial"] == 0 and terms["cwd"] > 0
    sum(terms.values()).backward()
    for name, parameter in (*student.named_parameters(), *distillation.named_parameters()):
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    widths_agree = width == 1 / 32
    assert widths_agree == (not list(distillation.parameters()))
    assert all(
        parameter.grad.any() for parameter in distillation.parameters() if parameter.ndim > 1
    )


def test_pairs_and_stage_weights_follow_the_teachers_order_not_the_options():
    student, teacher = network(0), network(1).eval()
    values = []
    for stages in (("encoder2", "encoder4", "decoder3"), ("decoder3", "encoder2", "encoder4")):
        options = DistillConfig(types=("fsp", "ofd"), stages=stages)
        terms = Distillation(options, student, teacher)(stages_of(student), stages_of(teacher))
        values.append([term.item() for term in terms.values()])
    assert values[0] == values[1]
    ours, theirs = stages_of(student), stages_of(teacher)
    pairs = (("encoder2", "encoder4"), ("encoder4", "decoder3"))
    fsp = [
        F.mse_loss(*(plain_fsp(*(s[name].activation for name in pair)) for s in (ours, theirs)))
        for pair in pairs
    ]
    assert values[0][0] == pytest.approx(sum(fsp).item(), rel=1e-4)
    ofd = [
        ofd_loss(ours[name].pre, theirs[name].pre, ofd_margin(norm.weight, norm.bias)).item()
        for name in ("encoder2", "encoder4", "decoder3")
        if (norm := theirs[name].norm)
    ]
    assert values[0][1] == pytest.approx((ofd[0] / 4 + ofd[1] / 2 + ofd[2]) / 1000, rel=1e-5)


def test_adapters_and_connectors_are_convolutions_where_widths_differ():
    adapters = Adapters({"encoder2": (3, 8), "encoder3": (5, 5)}, bias=False)
    assert [tuple(p.shape) for p in adapters.parameters()] == [(8, 3, 1, 1)]
    maps = {"encoder2": torch.randn(2, 3, 6, 6), "encoder3": torch.randn(2, 5, 3, 3)}
    adapted = adapters(maps)
    assert adapted["encoder3"] is maps["encoder3"]
    expected = F.conv2d(maps["encoder2"], next(adapters.parameters()))
    torch.testing.assert_close(adapted["encoder2"], expected)
    options = DistillConfig(types=("ofd",), stages=("encoder2", "decoder1"))
    found = Distillation(options, network(0), network(1, 1 / 16)).named_parameters()
    place, shapes = "kinds.ofd.connectors.encoder2", [(8, 4, 1, 1), (8,), (8,)]
    names = (f"{place}.{name}" for name in ("0.weight", "1.weight", "1.bias"))
    assert {name: tuple(p.shape) for name, p in found} == dict(zip(names, shapes, strict=True))


def test_the_temperature_is_that_of_the_options():
    student, teacher = network(0), network(1).eval()
    ours, theirs = stages_of(student), stages_of(teacher)
    options = DistillConfig(types=("cwd",), cwd_temperature=0.5)
    value = Distillation(options, student, teacher)(ours, theirs)["cwd"]
    maps = [[stages[name].activation for name in STAGES] for stages in (ours, theirs)]
    wanted = sum(channel_wise_loss(s, t, 0.5) for s, t in zip(*maps, strict=True))
    torch.testing.assert_close(value, wanted)


def test_adapters_start_the_same_whatever_the_kinds():
    weights = []
    for types in (("channel",), ("ofd", "cwd", "channel")):
        torch.manual_seed(0)
        options = DistillConfig(types=types)
        weights.append(Distillation(options, network(0), network(1, 1 / 16)).adapters.state_dict())
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_spkds_student_and_its_adapters_have_the_published_sizes():
    config = load(CONFIGS / "student_SPKD.yaml")
    wanted = config.network
    plan = models.scaled_plan(wanted.name, wanted.width, **wanted.structure)
    with torch.device("meta"):
        student = models.build(wanted.name, plan, **wanted.structure)
        distillation = Distillation(config.distill, student, models.build("dim"))
    assert parameters(student) == 4_877_283
    assert parameters(student) + parameters(distillation) == 5_181_795


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match=r"ofd takes its margins .* dim has none at encoder2"):
        Distillation(DistillConfig(types=("ofd",)), network(0), network(1).folded())
    student, teacher = network(0), network(1)
    distillation = Distillation(DistillConfig(types=("at",)), student, teacher)
    with pytest.raises(InputError, match="encoder2 has 16 x 16 pixels in dim and 24 x 24 in dim"):
        distillation(stages_of(student), stages_of(teacher, 96))
