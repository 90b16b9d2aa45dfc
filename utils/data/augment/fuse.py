"""Two foregrounds made one, as in the released code of GCA (Li and Lu, AAAI 2020)."""

import cv2
import numpy as np


def fuse(front: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """One foreground over another: alpha 1 - (1 - a1)(1 - a2), colour a1 f1 + (1 - a1) f2.

    The colour is the release's. That of the two layers seen through each other would be
    (a1 f1 + (1 - a1) a2 f2) / alpha; they differ where neither is opaque, and there the colour
    behind shows even where a2 is 0. A composite of the result has exactly its alpha as the truth.

    Args:
        front, behind: uint8 (H, W, 4), RGBA.

    Returns:
        uint8 (H, W, 4), alpha rounded, colours within one level; `front` itself where the fused
        alpha would be 255 everywhere.
    """
    weight = cv2.merge([cv2.extractChannel(front, 3)] * 4)
    # With 255 in the place of a1, one blend of all four channels gives the fused alpha as well.
    opaque = cv2.bitwise_or(front, (0, 0, 0, 255))
    fused = cv2.multiply(opaque, weight, dst=opaque, scale=1 / 255)
    cv2.bitwise_not(weight, dst=weight)
    cv2.multiply(behind, weight, dst=weight, scale=1 / 255)
    cv2.add(fused, weight, dst=fused)
    return fused if cv2.extractChannel(fused, 3).min() < 255 else front
