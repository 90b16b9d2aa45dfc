"""Known foreground and background colours, carried into the unknown region."""

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 5  # halvings; beyond them the picture's mean fills what is left
FLOOR = 1e-6
LIKENESS = 0.01  # squared distance of colours below which they say little of alpha


def colour_guess(image: Tensor, trimap: Tensor) -> Tensor:
    """Foreground and background colours at each pixel, and the alpha that they make likely.

    Known colours are carried on by pull-push interpolation (Gortler et al., SIGGRAPH 1996). The
    guess of alpha is where the pixel's colour lies between the two.

    Args:
        image: (N,3,H,W), RGB in [0, 1]; sides are multiples of 32.
        trimap: (N,1,H,W) in [0, 1].

    Returns:
        (N,7,H,W) in [0, 1]: foreground, background, alpha. A colour of which the picture has
        no known pixel is the pixel's own.
    """
    known = (trimap >= 0.75).to(image.dtype), (trimap <= 0.25).to(image.dtype)
    foreground, background = (_carried(image, mask) for mask in known)
    span = foreground - background
    along = ((image - background) * span).sum(1, keepdim=True)
    alpha = along / (span.square().sum(1, keepdim=True) + LIKENESS)
    alpha = torch.where(known[0] > 0, known[0], alpha.clamp(0, 1) * (1 - known[1]))
    return torch.cat([foreground, background, alpha], 1)


def _carried(image: Tensor, mask: Tensor) -> Tensor:
    levels = [(image, mask)]
    for _ in range(LEVELS):
        colours, weight = levels[-1]
        total = F.avg_pool2d(weight, 2)
        colours = F.avg_pool2d(colours * weight, 2) / total.clamp_min(FLOOR)
        levels.append((colours, (4 * total).clamp_max(1)))
    colours, weight = levels.pop()
    total = weight.sum((2, 3), keepdim=True)
    mean = (colours * weight).sum((2, 3), keepdim=True) / total.clamp_min(FLOOR)
    filled = weight * colours + (1 - weight) * mean
    for colours, weight in reversed(levels):
        filled = F.interpolate(filled, scale_factor=2, mode="bilinear", align_corners=False)
        filled = weight * colours + (1 - weight) * filled
    return torch.where(total > 0, filled, image)
