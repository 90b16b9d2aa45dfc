"""Put a foreground over a background: exactly as Composition-1k does, or as a camera sees it."""

from math import ceil

import cv2
import numpy as np

STRIP = 1 << 15  # pixels at a time: their float32 colours stay in the processor's cache


def compose(fg: np.ndarray, alpha: np.ndarray, bg: np.ndarray) -> np.ndarray:
    """alpha fg + (1 - alpha) bg in float32, cut off to 8 bits (Xu et al., Deep Image Matting).

    Published values are cut off, not rounded; so a pixel can lie one level below both its
    foreground and its background. Where alpha is 0 or 255 it is exactly one of them.

    Args:
        fg, bg: uint8 (H, W, 3).
        alpha: uint8 (H, W).

    Returns:
        uint8 (H, W, 3).
    """
    image = np.empty(fg.shape, np.uint8)
    height, width = alpha.shape
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        rows = slice(top, top + step)
        weight = alpha[rows].astype(np.float32)
        weight /= 255
        # NumPy spreads one channel over three far slower than OpenCV.
        weight = cv2.cvtColor(weight, cv2.COLOR_GRAY2RGB)
        front = fg[rows].astype(np.float32)
        front *= weight
        np.subtract(1, weight, out=weight)
        weight *= bg[rows]
        front += weight
        image[rows] = front
    return image


def compose_light(fg: np.ndarray, alpha: np.ndarray, bg: np.ndarray, gamma: float) -> np.ndarray:
    """(alpha fg^gamma + (1 - alpha) bg^gamma)^(1 / gamma) of colours in [0, 1], rounded to 8 bits.

    Light is mixed before a camera gives it its tone: half of a bright strand before something dark
    is brighter in a photograph than the mean of both colours, which `compose` takes.

    Args:
        fg, bg: uint8 (H, W, 3).
        alpha: uint8 (H, W).
        gamma: of the tone curve x^(1 / gamma); 2.2 is about that of sRGB.

    Returns:
        uint8 (H, W, 3); where alpha is 0 or 255 exactly one of the two.
    """
    image = np.where((alpha == 255)[..., None], fg, bg)
    mixed = (alpha != 0) & (alpha != 255)
    light = ((np.arange(256) / 255) ** gamma).astype(np.float32)
    front, behind = light[fg[mixed]], light[bg[mixed]]
    weight = alpha[mixed, None].astype(np.float32) / 255
    image[mixed] = np.rint(255 * (behind + weight * (front - behind)) ** (1 / gamma))
    return image


def fit_background(bg: np.ndarray, height: int, width: int) -> np.ndarray:
    """The top left (height, width) of a background, enlarged first only where it is smaller.

    Larger ones are cropped, not shrunk; another choice costs a network two points of SAD.

    Args:
        bg: uint8 (h, w, 3), any size.

    Returns:
        uint8 (height, width, 3).
    """
    h, w = bg.shape[:2]
    ratio = max(width / w, height / h)
    if ratio > 1:
        size = (ceil(w * ratio), ceil(h * ratio))
        bg = cv2.resize(bg, size, interpolation=cv2.INTER_CUBIC)
    return bg[:height, :width]
