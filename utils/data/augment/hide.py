"""Large unknown regions, as people paint them over hair, cloth and nets."""

import cv2
import numpy as np

from utils.images.levels import UNKNOWN

AXES = (0.1, 0.5)  # half axes, of the sample's side


def hide(trimap: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The trimap with one ellipse more of unknown pixels; uint8 (H, W), a new array.

    Centre, angle and the two half axes, from `AXES`, are drawn evenly.
    """
    side = min(trimap.shape)
    centre = rng.uniform(size=2) * trimap.shape[::-1]
    axes = rng.uniform(*AXES, size=2) * side
    box = (centre.tolist(), (2 * axes).tolist(), float(rng.uniform(0, 180)))
    hidden = trimap.copy()
    cv2.ellipse(hidden, box, UNKNOWN, cv2.FILLED)
    return hidden


def hide_foreground(trimap: np.ndarray) -> np.ndarray:
    """The trimap with its known foreground unknown; uint8 (H, W), a new array."""
    return np.minimum(trimap, np.uint8(UNKNOWN))
