"""Losses of a matte: unknown pixels only, smooth at zero, safe in half precision."""

import cv2
import numpy as np
import pytest
import torch

from tests.reference import fill, losses
from utils.tasks.matting import alpha_loss, composition_loss, l1_loss, laplacian_loss

KERNEL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


def test_released_value():
    pred, target, mask = (
        torch.from_numpy(fill.uniform(name, (2, 1, 16, 16)))
        for name in ("alpha_pred", "alpha_true", "mask")
    )
    value = alpha_loss(pred, target, mask > 0.5).item()
    assert value == pytest.approx(losses()["alpha_prediction_loss"], rel=1e-12)


def test_by_hand():
    pred = torch.tensor([0.5, 0.0, 1.0, 0.2]).reshape(1, 1, 2, 2)
    target = torch.tensor([0.1, 0.2, 0.0, 0.2]).reshape(1, 1, 2, 2)
    unknown = torch.tensor([1, 1, 0, 0]).reshape(1, 1, 2, 2)
    for mask in (unknown, unknown.bool(), unknown.float(), unknown.to(torch.uint8)):
        assert alpha_loss(pred, target, mask).item() == pytest.approx(0.3, rel=1e-5)


def test_perfect_matte_has_a_zero_gradient():
    pred = torch.rand(1, 1, 4, 4, requires_grad=True)
    loss = alpha_loss(pred, pred.detach().clone(), torch.ones(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == pytest.approx(1e-6, rel=1e-3)
    assert not pred.grad.any()


def test_half_types_are_computed_in_float32():
    generator = torch.Generator().manual_seed(0)
    pred, target = torch.rand(2, 1, 1, 64, 64, generator=generator).bfloat16()
    pred.requires_grad_()
    unknown = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = alpha_loss(pred, target, unknown)
    loss.backward()
    assert loss.dtype == torch.float32
    assert pred.grad.isfinite().all()
    torch.testing.assert_close(loss, alpha_loss(pred.float(), target.float(), unknown))


def matte(seed: int, height: int = 21, width: int = 26) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 1, height, width, generator=generator, dtype=torch.float64)


def test_l1_is_the_mean_over_unknown_pixels():
    pred, target, unknown = matte(0), matte(1), matte(2) > 0.5
    expected = (pred - target).abs()[unknown].mean()
    torch.testing.assert_close(l1_loss(pred, target, unknown), expected, rtol=1e-6, atol=0)


def test_composition_is_the_distance_of_the_composites():
    pred, target, unknown = matte(0), matte(1), matte(2) > 0.5
    colours = [torch.cat([matte(s) for s in range(i, i + 3)], 1) for i in (3, 6)]
    ours, theirs = (m * colours[0] + (1 - m) * colours[1] for m in (pred, target))
    expected = (ours - theirs).abs()[unknown.expand(-1, 3, -1, -1)].mean()
    got = composition_loss(pred, target, unknown, *colours)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=0)


def test_laplacian_is_that_of_a_plain_pyramid():
    """Each level by loops over pixels: blurred by the binomial, halved, grown linearly."""
    pred, target, unknown = matte(0), matte(1), matte(2) > 0.3
    total = 0.0
    for p, t, u in zip(
        pred[:, 0].numpy(), target[:, 0].numpy(), unknown[:, 0].numpy(), strict=True
    ):
        current = (p - t) * u
        for level in range(3):
            smaller = cv2.sepFilter2D(
                current, -1, KERNEL, KERNEL, borderType=cv2.BORDER_REFLECT_101
            )
            smaller = smaller[::2, ::2]
            size = current.shape[::-1]
            grown = cv2.resize(smaller, size, interpolation=cv2.INTER_LINEAR)
            band = current - grown if level < 2 else current
            total += 8**level * np.abs(band).sum()
            current = smaller
    expected = total / unknown.sum().item()
    got = laplacian_loss(pred, target, unknown, levels=3).item()
    assert got == pytest.approx(expected, rel=2e-3)  # OpenCV's weights have 11 bits


@pytest.mark.parametrize("loss", [alpha_loss, l1_loss, laplacian_loss])
def test_known_pixels_and_pictures_without_unknown_ones_count_nothing(loss):
    pred = matte(0, 9, 3).requires_grad_()
    none = torch.zeros(pred.shape, dtype=torch.bool)
    assert loss(pred, matte(1, 9, 3), none).item() == 0
    some = none.clone()
    some[:, :, 4, 1] = True
    loss(pred, matte(1, 9, 3), some).backward()
    assert pred.grad[~some].abs().max() == 0 and pred.grad[some].abs().min() > 0


def test_other_shapes_are_refused():
    alpha = matte(0)
    for shapes in ((alpha[:1], alpha, alpha), (alpha, alpha[..., :3], alpha)):
        with pytest.raises(ValueError, match="same shape"):
            alpha_loss(*shapes)
