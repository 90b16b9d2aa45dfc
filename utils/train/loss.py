"""The alpha loss: how far a matte is from its target where the trimap does not tell."""

import torch
from torch import Tensor


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
    if not pred.shape == target.shape == unknown.shape:
        raise ValueError(
            f"pred {tuple(pred.shape)}, target {tuple(target.shape)} and unknown "
            f"{tuple(unknown.shape)} must have the same shape"
        )
    dtype = torch.promote_types(torch.promote_types(pred.dtype, target.dtype), torch.float32)
    weight = unknown.to(dtype)
    # 1e-12 is nothing in half precision, so the square must not be taken there.
    distance = ((pred.to(dtype) - target.to(dtype)).square() + 1e-12).sqrt()
    return (distance * weight).sum() / (weight.sum() + 1e-6)


def unknown_region(trimap: Tensor) -> Tensor:
    """Where the matte is to be found: bool, of a trimap (N,1,H,W) in [0, 1]."""
    return (trimap > 0.25) & (trimap < 0.75)
