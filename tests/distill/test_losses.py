"""Losses of two feature maps against their definitions and the released values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from tests.reference import fill, losses
from utils.distill import (
    attention_transfer_loss,
    batch_similarity_loss,
    channel_similarity_loss,
    channel_wise_loss,
    nst_loss,
    spatial_similarity_loss,
)
from utils.distill.maps import full_precision

LOSSES = {
    "spatial_similarity": spatial_similarity_loss,
    "channel_similarity": channel_similarity_loss,
    "batch_similarity": batch_similarity_loss,
    "AT": attention_transfer_loss,
    "NST": nst_loss,
    "CWD": channel_wise_loss,
}
SAME_WIDTH = ("channel_similarity", "CWD")
ALL = pytest.mark.parametrize("name", LOSSES)


def plain_spatial(student: Tensor, teacher: Tensor) -> Tensor:
    """The definition, with HW x HW matrices."""
    columns = [unit(features.flatten(2), 1) for features in (student, teacher)]
    return functional.mse_loss(*(x.mT @ x for x in columns))


def plain_channel(student: Tensor, teacher: Tensor) -> Tensor:
    rows = [unit(features.flatten(2), 2) for features in (student, teacher)]
    return functional.mse_loss(*(x @ x.mT for x in rows))


def plain_batch(student: Tensor, teacher: Tensor) -> Tensor:
    rows = [features.flatten(1) for features in (student, teacher)]
    return functional.mse_loss(*(functional.normalize(x @ x.T, dim=1) for x in rows))


def plain_at(student: Tensor, teacher: Tensor) -> Tensor:
    maps = [(features**2).sum(1).flatten(1) for features in (student, teacher)]
    return functional.mse_loss(*(x / (x.norm(dim=1, keepdim=True) + 1e-6) for x in maps))


def plain_nst(student: Tensor, teacher: Tensor) -> Tensor:
    """Three means of the kernel over pairs of channels."""
    s, t = (functional.normalize(features.flatten(2), dim=2) for features in (student, teacher))

    def mean(x: Tensor, y: Tensor) -> Tensor:
        return ((x @ y.mT) ** 2).mean((1, 2))

    return (mean(t, t) + mean(s, s) - 2 * mean(s, t)).mean()


def plain_cwd(student: Tensor, teacher: Tensor) -> Tensor:
    s, t = ((features.flatten(2) / 4).log_softmax(2) for features in (student, teacher))
    return 4**2 * (t.exp() * (t - s)).sum(2).mean()


PLAIN = {
    "spatial_similarity": plain_spatial,
    "channel_similarity": plain_channel,
    "batch_similarity": plain_batch,
    "AT": plain_at,
    "NST": plain_nst,
    "CWD": plain_cwd,
}


def unit(x: Tensor, dim: int) -> Tensor:
    length = x.norm(dim=dim, keepdim=True)
    return torch.where(length > 0, x / (length + 1e-7), 0)  # a dead vector gets no gradient


def maps(*shape: int, width: int = 0, seed: int = 0, dtype=torch.float64) -> tuple[Tensor, Tensor]:
    """A student, of another `width` if one is given, and a teacher of `shape`."""
    generator = torch.Generator().manual_seed(seed)
    teacher = torch.randn(shape, generator=generator, dtype=dtype)
    student_shape = (shape[0], width or shape[1], *shape[2:])
    student = torch.randn(student_shape, generator=generator, dtype=dtype)
    return student.requires_grad_(), teacher


def value_and_gradient(loss, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    value = loss(student, teacher)
    return value.detach(), torch.autograd.grad(value, student)[0]


def relative_error(value: Tensor, exact: Tensor) -> float:
    return float((value.double() - exact).norm() / exact.norm())


# Values


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "CWD"])
def test_released_values(name):
    oracle = losses()
    for stage, shape in enumerate(oracle["shapes"]):
        student, teacher = (
            torch.relu(torch.from_numpy(2 * fill.uniform(f"{who}{stage}", shape) - 0.7))
            for who in ("student", "teacher")
        )
        value = LOSSES[name](student, teacher).item()
        assert value == pytest.approx(oracle["losses"][name][stage], rel=1e-9)


@settings(max_examples=60)
@given(
    name=st.sampled_from(list(LOSSES)),
    shape=st.tuples(*[st.integers(1, n) for n in (3, 9, 4, 4)]),
    width=st.integers(0, 9),
    after_relu=st.booleans(),
    channels_last=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_agrees_with_plain_form(name, shape, width, after_relu, channels_last, seed):
    student, teacher = maps(*shape, width=0 if name in SAME_WIDTH else width, seed=seed)
    if after_relu:  # few channels: some pixels are dead
        student, teacher = student.detach().relu().requires_grad_(), teacher.relu()
    exact, exact_gradient = value_and_gradient(PLAIN[name], student, teacher)
    if channels_last:
        last = torch.channels_last
        student = student.detach().contiguous(memory_format=last).requires_grad_()
        teacher = teacher.contiguous(memory_format=last)
    value, gradient = value_and_gradient(LOSSES[name], student, teacher)
    torch.testing.assert_close(value, exact, rtol=1e-9, atol=1e-14)
    scale = max(exact_gradient.abs().max().item(), 1e-3)
    torch.testing.assert_close(gradient, exact_gradient, rtol=1e-7, atol=1e-9 * scale)


@pytest.mark.parametrize("distance", [1e-1, 1e-4])
@ALL
def test_accurate_near_the_teacher(name, distance):
    """Float32 near the teacher, where ||S||^2 + ||T||^2 - 2 <S,T> has no digits left."""
    noise, teacher = maps(2, 24, 12, 12, dtype=torch.float32)
    student = (teacher + distance * noise).detach().requires_grad_()
    exact_student = student.detach().double().requires_grad_()
    exact, exact_gradient = value_and_gradient(PLAIN[name], exact_student, teacher.double())
    value, gradient = value_and_gradient(LOSSES[name], student, teacher)
    assert relative_error(value, exact) < 1e-3
    assert relative_error(gradient, exact_gradient) < 1e-6 / distance
    value, gradient = value_and_gradient(LOSSES[name], teacher.clone().requires_grad_(), teacher)
    assert value.item() == 0 and not gradient.any()


def test_never_negative_for_a_rotated_teacher():
    """Pixels rotated together: equal similarities, so the identity's two terms cancel."""
    _, teacher = maps(1, 8, 10, 10, dtype=torch.float32)
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
        student = torch.einsum("ij,njhw->nihw", rotation, teacher)
        assert 0 <= spatial_similarity_loss(student, teacher).item() < 1e-6


@pytest.mark.parametrize("scale", [1e-6, 1e3])
@ALL
def test_accurate_for_a_student_of_another_scale(name, scale):
    """As at the start of training; one picture of the student is weaker still."""
    student, teacher = maps(3, 8, 6, 6, dtype=torch.float32)
    student = student.detach() * scale
    student[0] *= 1e-3
    exact_student = student.double().requires_grad_()
    exact, exact_gradient = value_and_gradient(PLAIN[name], exact_student, teacher.double())
    value, gradient = value_and_gradient(LOSSES[name], student.requires_grad_(), teacher)
    assert relative_error(value, exact) < 1e-5
    for i in range(3):
        assert relative_error(gradient[i], exact_gradient[i]) < 1e-4


# Traps


@pytest.mark.parametrize(
    ("name", "dead"),
    [
        *(("spatial_similarity", "pixel"), ("channel_similarity", "channel")),
        *(("AT", "pixel"), ("AT", "channel"), ("NST", "channel")),
    ],
)
def test_dead_features_of_the_student_get_no_gradient(name, dead):
    index = {"pixel": (..., 0, 1), "channel": (slice(None), 2)}[dead]
    for size in (2, 4):  # more channels than pixels, fewer
        student, teacher = maps(2, 6, size, size, dtype=torch.float32)
        student = student.detach()
        student[index] = 0
        _, gradient = value_and_gradient(LOSSES[name], student.requires_grad_(), teacher)
        assert gradient.any()
        assert not gradient[index].any()


@ALL
def test_only_the_student_gets_a_gradient_and_inputs_stay_as_they_were(name):
    student, teacher = maps(2, 4, 5, 5)
    before = student.detach().clone(), teacher.clone()
    teacher.requires_grad_()
    loss = LOSSES[name](student, teacher)
    assert loss.dtype == torch.float64
    (once,) = torch.autograd.grad(loss, student, retain_graph=True)
    (3 * loss).backward()
    torch.testing.assert_close(student.grad, 3 * once)
    assert teacher.grad is None
    assert torch.equal(student, before[0]) and torch.equal(teacher, before[1])
    with torch.no_grad():
        value = LOSSES[name](student, teacher)
    assert not value.requires_grad and value == loss


@ALL
def test_half_types_under_autocast_are_computed_in_float32(name):
    student, teacher = maps(2, 12, 8, 8, dtype=torch.float32)
    student, teacher = student.detach().bfloat16(), teacher.bfloat16()
    exact, exact_gradient = value_and_gradient(
        LOSSES[name], student.float().requires_grad_(), teacher.float()
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradient = value_and_gradient(LOSSES[name], student.requires_grad_(), teacher)
        full, _ = value_and_gradient(
            LOSSES[name], student.detach().float().requires_grad_(), teacher.float()
        )
    assert value.dtype == torch.float32
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(value, exact)
    torch.testing.assert_close(full, exact)
    torch.testing.assert_close(gradient, exact_gradient.bfloat16())


@pytest.mark.parametrize("precision", ["medium", "highest"])
def test_full_precision_restores_the_switches(precision):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), full_precision(torch.device("cpu")):
            assert not torch.is_autocast_enabled("cpu")
            if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
                assert torch.backends.cuda.matmul.fp32_precision == "ieee"
        assert torch.get_float32_matmul_precision() == precision
        assert torch.backends.cuda.matmul.allow_tf32 == (precision != "highest")
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("name", ["spatial_similarity", "NST"])
def test_no_matrix_over_pixels(name):
    """Neither pass makes a tensor larger than the maps themselves."""
    student, teacher = maps(1, 8, 20, 20, width=4, dtype=torch.float32)
    with LargestTensor() as made:
        LOSSES[name](student, teacher).backward()
    assert made.numel == teacher.numel() < (20 * 20) ** 2


@ALL
@pytest.mark.parametrize("shape", [(1, 4, 5, 5), (2, 4, 5, 6), (2, 4, 25)])
def test_other_shapes_are_refused(name, shape):
    with pytest.raises(ValueError, match="feature maps must") as error:
        LOSSES[name](torch.zeros(shape), torch.zeros(2, 4, 5, 5))
    assert str(shape) in str(error.value) and "(2, 4, 5, 5)" in str(error.value)


@pytest.mark.parametrize("name", SAME_WIDTH)
def test_other_widths_are_refused_where_channels_are_compared(name):
    with pytest.raises(ValueError, match="must have the same"):
        LOSSES[name](torch.zeros(2, 3, 5, 5), torch.zeros(2, 4, 5, 5))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("channels_last", [False, True])
@ALL
def test_the_same_on_the_gpu(name, channels_last):
    student, teacher = maps(2, 16, 12, 12, dtype=torch.float32)
    exact, exact_gradient = value_and_gradient(LOSSES[name], student, teacher)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    student = student.detach().cuda().contiguous(memory_format=layout).requires_grad_()
    teacher = teacher.cuda().contiguous(memory_format=layout)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with torch.autocast("cuda", dtype=torch.float16):
            value, gradient = value_and_gradient(LOSSES[name], student, teacher)
    finally:
        torch.set_float32_matmul_precision(before)
    torch.testing.assert_close(value.cpu(), exact, rtol=1e-5, atol=0)
    torch.testing.assert_close(gradient.cpu(), exact_gradient, rtol=1e-4, atol=1e-8)


class LargestTensor(TorchDispatchMode):
    """Notes the largest tensor that any operation returns."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numel = max(self.numel, result.numel())
        return result
