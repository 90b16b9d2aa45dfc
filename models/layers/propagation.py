"""Known foreground and background colours, carried into the unknown region."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.basic import GlobalMean

LEVELS = 5  # halvings; beyond them the picture's mean fills what is left
FLOOR = 1e-6
LIKENESS = 0.01  # squared distance of colours below which they say little of alpha


class ColourGuess(nn.Module):
    """Foreground and background colours at each pixel, and the alpha that they make likely.

    Known colours are carried on by pull-push interpolation (Gortler et al., SIGGRAPH 1996). The
    guess of alpha is where the pixel's colour lies between the two.
    """

    def __init__(self) -> None:
        super().__init__()
        self.everywhere = GlobalMean()

    def forward(self, image: Tensor, trimap: Tensor) -> Tensor:
        """Foreground, background and alpha, (N,7,H,W) in [0, 1].

        A colour of which the picture has no known pixel is the pixel's own.

        Args:
            image: (N,3,H,W), RGB in [0, 1]; sides are multiples of 32.
            trimap: (N,1,H,W) in [0, 1].
        """
        known = torch.cat([trimap >= 0.75, trimap <= 0.25]).to(image.dtype)
        foreground, background = self._carried(torch.cat([image, image]), known).chunk(2)
        span = foreground - background
        along = ((image - background) * span).sum(1, keepdim=True)
        alpha = along / (span.square().sum(1, keepdim=True) + LIKENESS)
        one, zero = known.chunk(2)
        alpha = torch.addcmul(one, alpha.clamp(0, 1), 1 - one - zero)
        return torch.cat([foreground, background, alpha], 1)

    def _carried(self, colours: Tensor, known: Tensor) -> Tensor:
        """Colours (2N,3,H,W) everywhere from where `known` (2N,1,H,W) is 1; as is if nowhere."""
        # Colour and 1 where there is one, else zeros: so each level is a mean of the finer's known.
        levels = [torch.cat([colours * known, known], 1)]
        for _ in range(LEVELS):
            height, width = levels[-1].shape[-2:]
            levels.append(_of_the_known(_resized(levels[-1], (height // 2, width // 2))))
        # Both kinds of a picture are channels of one map, since its mean is that of a picture.
        mean = self.everywhere(torch.cat(levels[-1].chunk(2), 1))
        mean = torch.cat(mean.chunk(2, 1))
        filled = _of_the_known(mean)
        for level in reversed(levels):
            filled = torch.addcmul(level, 1 - level[:, 3:], _resized(filled, level.shape[-2:]))
        nowhere = (mean[:, 3:] == 0).to(colours.dtype)  # all is zero there
        return filled[:, :3].addcmul(colours, nowhere)


def _of_the_known(mean: Tensor) -> Tensor:
    """From means over known and unknown pixels those over the known."""
    return mean / mean[:, 3:].clamp_min(FLOOR)


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    """Linearly; at half the size that is the mean of each 2x2 pixels."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
