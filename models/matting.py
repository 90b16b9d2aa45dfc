"""Matting networks: `network(image, trimap) -> alpha`, and what a trimap says."""

import torch
from torch import Tensor

from models.network import Network, Stages


class MattingNetwork(Network):
    """`network(image, trimap) -> alpha`."""

    task = "matting"

    def forward(self, image: Tensor, trimap: Tensor) -> Tensor:
        """The alpha matte; clamped to [0, 1] in evaluation mode, unclamped in training mode.

        Args:
            image: (N,3,H,W), RGB in [0, 1]; any size.
            trimap: (N,1,H,W), 0 for background, 128/255 for unknown, 1 for foreground.

        Returns:
            (N,1,H,W).
        """
        alpha = self.compute(image, trimap, None)
        return alpha if self.training else alpha.clamp(0, 1)

    def compute(self, image: Tensor, trimap: Tensor, stages: Stages | None) -> Tensor:
        """The unclamped alpha; fills `stages` where given."""
        raise NotImplementedError

    def example(self, batch: int = 1, height: int = 32, width: int = 32) -> tuple[Tensor, Tensor]:
        image, trimap = (self.mean.new_zeros(batch, c, height, width) for c in (3, 1))
        return image, trimap


def unknown_region(trimap: Tensor) -> Tensor:
    """Where the matte is to be found: bool, of a trimap (N,1,H,W) in [0, 1]."""
    return (trimap > 0.25) & (trimap < 0.75)


def one_hot(trimap: Tensor) -> Tensor:
    """(N,3,H,W) of background, unknown and foreground, of a trimap (N,1,H,W) in [0, 1]."""
    unknown = unknown_region(trimap)
    return torch.cat([trimap <= 0.25, unknown, trimap >= 0.75], 1).to(trimap.dtype)
