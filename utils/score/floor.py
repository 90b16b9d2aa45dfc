"""The floor of a table of scores: a matte that needs no look at the photograph."""

import cv2
import numpy as np


def fill_by_distance(trimap: np.ndarray) -> np.ndarray:
    """The matte of a trimap alone: b / (b + f) where it is unknown.

    b and f are the Euclidean distances to the nearest known background and foreground; where one
    of them is nowhere, the matte is that of the other, and 1/2 where nothing is known.

    Args:
        trimap: uint8 (H, W) of 0, 128, 255.

    Returns:
        uint8 (H, W); known pixels are exactly 0 and 255.
    """
    background, foreground = (_distance(trimap, level) for level in (0, 255))
    # Known pixels are at distance 0 of their own kind, so that the ratio is theirs, too.
    if background is None or foreground is None:
        only = 128 if background is foreground else 255 if background is None else 0
        return np.where(trimap == 128, np.uint8(only), trimap)
    return np.rint(255 * background / (background + foreground)).astype(np.uint8)


def _distance(trimap: np.ndarray, level: int) -> np.ndarray | None:
    """From each pixel to the nearest of a level, float64 (H, W); None where there is none."""
    away = (trimap != level).view(np.uint8)
    if away.all():
        return None
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Its last bits depend on where the array lies in memory; squares of distances are integers.
    return np.sqrt(np.rint(np.square(distance, dtype=np.float64)))
