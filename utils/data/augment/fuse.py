"""Two foregrounds made one: as in the released code of GCA, or as one is seen before the other."""

import cv2
import numpy as np


def fuse(front: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """One foreground over another as the released code of GCA (Li and Lu, AAAI 2020) has it.

    Alpha is 1 - (1 - a1)(1 - a2), colour a1 f1 + (1 - a1) f2. So the colour behind shows at the
    soft pixels of the front even where a2 is 0, and they look more transparent than their alpha is;
    `fuse_exactly` has the colours as they are seen. A composite of the result has exactly its
    alpha as the truth, whichever made it.

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


def fuse_exactly(front: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """One foreground over another: the same alpha, colour (a1 f1 + (1 - a1) a2 f2) / alpha.

    This is "over" of Porter and Duff (SIGGRAPH 1984): the result over any background is the front
    over a composite of what is behind and that background.

    Args:
        front, behind: uint8 (H, W, 4), RGBA.

    Returns:
        uint8 (H, W, 4), rounded; the front's colour where neither covers anything; `front` itself
        where the fused alpha would be 255 everywhere.
    """
    near = cv2.extractChannel(front, 3).astype(np.float32)
    far = cv2.extractChannel(behind, 3).astype(np.float32)
    alpha = near + far - near * far / 255
    if alpha.min() > 254.5:
        return front
    share = np.divide(near, alpha, out=np.ones_like(near), where=alpha > 0)
    share = cv2.merge([share] * 4)
    fused = behind.astype(np.float32)
    fused += share * (front.astype(np.float32) - fused)
    cv2.insertChannel(alpha, fused, 3)
    return cv2.convertScaleAbs(fused)
