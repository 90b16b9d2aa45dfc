"""The alpha loss: unknown pixels only, smooth at zero, safe in half precision."""

import json

import pytest
import torch

from tests.oracles import SHARED, fill, needs_shared
from utils.tasks.matting_losses import alpha_loss


@needs_shared
def test_released_value():
    oracle = json.loads((SHARED / "oracles" / "distill.json").read_text())
    pred, target, mask = (
        torch.from_numpy(fill.uniform(name, (2, 1, 16, 16)))
        for name in ("alpha_pred", "alpha_true", "mask")
    )
    value = alpha_loss(pred, target, mask > 0.5).item()
    assert value == pytest.approx(oracle["alpha_prediction_loss"], rel=1e-12)


def test_by_hand():
    pred = torch.tensor([0.5, 0.0, 1.0, 0.2]).reshape(1, 1, 2, 2)
    target = torch.tensor([0.1, 0.2, 0.0, 0.2]).reshape(1, 1, 2, 2)
    unknown = torch.tensor([1, 1, 0, 0]).reshape(1, 1, 2, 2)
    for mask in (unknown, unknown.bool(), unknown.float(), unknown.to(torch.uint8)):
        assert alpha_loss(pred, target, mask).item() == pytest.approx(0.3, rel=1e-5)


def test_known_pixels_do_not_count():
    generator = torch.Generator().manual_seed(0)
    pred = torch.rand(2, 1, 5, 7, generator=generator, requires_grad=True)
    target = torch.rand(2, 1, 5, 7, generator=generator)
    unknown = torch.rand(2, 1, 5, 7, generator=generator) > 0.5
    loss = alpha_loss(pred, target, unknown)
    loss.backward()
    assert not pred.grad[~unknown].any()
    assert (pred.grad[unknown] != 0).all()
    assert alpha_loss(torch.where(unknown, pred, 0.5), target, unknown) == loss


def test_nothing_unknown():
    pred = torch.rand(1, 1, 4, 4, requires_grad=True)
    loss = alpha_loss(pred, torch.rand(1, 1, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.bool))
    loss.backward()
    assert loss == 0
    assert not pred.grad.any()


def test_perfect_matte_has_a_zero_gradient():
    pred = torch.rand(1, 1, 4, 4, requires_grad=True)
    loss = alpha_loss(pred, pred.detach().clone(), torch.ones(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == pytest.approx(1e-6, rel=1e-3)
    assert not pred.grad.any()


def test_gradcheck():
    generator = torch.Generator().manual_seed(0)
    pred, target, mask = torch.rand(3, 2, 1, 3, 4, generator=generator, dtype=torch.float64)
    pred.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: alpha_loss(x, target, mask > 0.3), pred)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_are_computed_in_float32(dtype):
    generator = torch.Generator().manual_seed(0)
    pred, target = torch.rand(2, 1, 1, 64, 64, generator=generator).to(dtype)
    pred.requires_grad_()
    unknown = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = alpha_loss(pred, target, unknown)
    loss.backward()
    assert loss.dtype == torch.float32
    assert pred.grad.isfinite().all()
    torch.testing.assert_close(loss, alpha_loss(pred.float(), target.float(), unknown))


def test_other_shapes_are_refused():
    alpha, unknown = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    for arguments in (
        (alpha[:1], alpha, unknown),
        (alpha, alpha[..., :3], unknown),
        (alpha, alpha, unknown[:, 0]),
    ):
        with pytest.raises(ValueError, match="same shape") as error:
            alpha_loss(*arguments)
        for argument in arguments:
            assert str(tuple(argument.shape)) in str(error.value)
