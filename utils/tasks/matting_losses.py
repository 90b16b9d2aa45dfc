"""Losses of a matte where the trimap does not tell: alpha, L1, Laplacian pyramid, composition."""

import torch
from torch import Tensor
from torch.nn import functional as F

BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)  # the blur of a Laplacian pyramid (Burt and Adelson, 1983)


def alpha_loss(pred: Tensor, target: Tensor, unknown: Tensor) -> Tensor:
    """Sum over unknown pixels U of sqrt((pred - target)^2 + 1e-12), divided by |U| + 1e-6.

    A mean absolute error that is smooth at zero. The release sums over all pixels, so that each
    known one adds 1e-6; here known pixels add nothing.

    Args:
        pred: (N,1,H,W), the unclamped alpha.
        target: (N,1,H,W), the true alpha or the teacher's, in [0, 1].
        unknown: (N,1,H,W), True or 1 where the trimap is unknown.

    Returns:
        A scalar, zero if no pixel is unknown; float32 (float64 if an argument is).

    Raises:
        ValueError: the shapes differ.

    Paper: Xu et al., "Deep Image Matting", CVPR 2017.
    """
    difference, weight = _difference(pred, target, unknown)
    # 1e-12 is nothing in half precision, so the square must not be taken there.
    distance = (difference.square() + 1e-12).sqrt()
    return (distance * weight).sum() / (weight.sum() + 1e-6)


def l1_loss(pred: Tensor, target: Tensor, unknown: Tensor) -> Tensor:
    """Mean over unknown pixels of |pred - target|; zero if no pixel is unknown.

    Arguments, type and errors as `alpha_loss`.

    Paper: Li and Lu, "Natural Image Matting via Guided Contextual Attention", AAAI 2020.
    """
    difference, weight = _difference(pred, target, unknown)
    return (difference.abs() * weight).sum() / (weight.sum() + 1e-6)


def laplacian_loss(pred: Tensor, target: Tensor, unknown: Tensor, levels: int = 4) -> Tensor:
    """The L1 norm of the difference's Laplacian pyramid, level i weighing 2^i.

        sum over i of 2^i * 4^i * sum |L_i| / |U|,   L = pyramid of (pred - target) on U

    so that level i counts by its mean over the unknown region; the last level is what is left. The
    difference is zero at known pixels, whose alpha the trimap gives. Levels shrink by a 5x5
    binomial blur and grow by linear interpolation; they end early where a side would be under 2.

    Arguments, type and errors as `alpha_loss`.

    Paper: Hou and Liu, "Context-Aware Image Matting for Simultaneous Foreground and Alpha
    Estimation", ICCV 2019.
    """
    difference, weight = _difference(pred, target, unknown)
    current = difference * weight
    kernel = torch.tensor(BINOMIAL, dtype=current.dtype, device=current.device)
    kernel = (kernel / kernel.sum()).outer(kernel / kernel.sum())[None, None]
    total = current.new_zeros(())
    for level in range(levels):
        height, width = current.shape[-2:]
        if level == levels - 1 or min(height, width) < 4:
            band, smaller = current, None
        else:
            padded = F.pad(current, (2, 2, 2, 2), "reflect")
            smaller = F.conv2d(padded, kernel, stride=2)
            grown = F.interpolate(smaller, (height, width), mode="bilinear", align_corners=False)
            band = current - grown
        total = total + 8**level * band.abs().sum()
        if smaller is None:
            break
        current = smaller
    return total / (weight.sum() + 1e-6)


def composition_loss(
    pred: Tensor, target: Tensor, unknown: Tensor, foreground: Tensor, background: Tensor
) -> Tensor:
    """Mean over unknown pixels and channels of the distance of two composites.

        sqrt(((pred - target) (F - B))^2 + 1e-12)

    which is the distance of the composites of `pred` and of the true matte over the same colours.

    Args:
        foreground, background: (N,3,H,W) in [0, 1]; the others, type and errors as `alpha_loss`.

    Paper: Xu et al., "Deep Image Matting", CVPR 2017.
    """
    difference, weight = _difference(pred, target, unknown)
    distance = ((difference * (foreground - background)).square() + 1e-12).sqrt()
    return (distance * weight).sum() / (distance.shape[1] * weight.sum() + 1e-6)


def _difference(pred: Tensor, target: Tensor, unknown: Tensor) -> tuple[Tensor, Tensor]:
    """pred - target and the weight of each pixel, in float32 or, if an argument is, float64."""
    if not pred.shape == target.shape == unknown.shape:
        raise ValueError(
            f"pred {tuple(pred.shape)}, target {tuple(target.shape)} and unknown "
            f"{tuple(unknown.shape)} must have the same shape"
        )
    dtype = torch.promote_types(torch.promote_types(pred.dtype, target.dtype), torch.float32)
    return pred.to(dtype) - target.to(dtype), unknown.to(dtype)
