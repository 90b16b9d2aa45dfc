"""What the ways to matte a picture need of a network: a function of arrays."""

from typing import Protocol

import numpy as np

from utils.infer.borders import Sides


class Forward(Protocol):
    """Pictures uint8 (N,H,W,3) and trimaps (N,H,W), 0 to 255, to alphas float32 (N,H,W)."""

    def __call__(
        self, images: np.ndarray, trimaps: np.ndarray, sides: Sides | None = None
    ) -> np.ndarray:
        """The alphas; of tiles, `sides` are those on which their picture goes on."""
