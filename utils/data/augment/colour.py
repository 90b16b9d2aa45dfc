"""Colour jitter of a composite (torchvision's) and of a foreground alone (GCA's), in 8 bits."""

import cv2
import numpy as np

GREY = (0.299, 0.587, 0.114)  # what red, green and blue count for in the grey of a picture
FOREGROUND_HUE = 40  # degrees


def jitter(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and hue, each changed by up to `amount`; uint8 (H, W, 3).

    torchvision's adjustments of 8-bit pictures, in this order, but rounded: torchvision cuts off,
    which darkens every picture by a level or two. Factors are drawn evenly from 1 - amount to
    1 + amount (`amount` < 1); the hue turns by up to `amount` of the full circle.
    """
    if not amount:
        return image
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3)
    turn = int(255 * rng.uniform(-amount, amount))
    pixels = cv2.convertScaleAbs(image, alpha=brightness)
    # The grey of the mean colour is the mean grey, without a grey picture.
    mean = round(np.dot(GREY, cv2.mean(pixels)[:3]))
    cv2.addWeighted(pixels, contrast, pixels, 0, (1 - contrast) * mean, dst=pixels)
    saturated = cv2.transform(pixels, saturation * np.eye(3) + (1 - saturation) * np.array(GREY))
    if not turn:
        return saturated
    hsv = cv2.cvtColor(saturated, cv2.COLOR_RGB2HSV_FULL)
    _turn_hue(hsv, turn)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def jitter_foreground(
    colour: np.ndarray, alpha: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Hue, saturation and value of a foreground shifted, as the release of GCA (AAAI 2020) does.

    The hue turns by -40 to 39 degrees. Saturation and value each take a shift of up to
    (1.1 - mean) / 10 either way, their mean over alpha > 0, and are reflected at 0 and 1.

    Args:
        colour: uint8 (H, W, 3): of the foreground, not of the composite.
        alpha: uint8 (H, W).

    Returns:
        uint8 (H, W, 3); `colour` itself where alpha is 0 everywhere.
    """
    visible = cv2.countNonZero(alpha)
    if not visible:
        return colour
    hsv = cv2.cvtColor(colour, cv2.COLOR_RGB2HSV_FULL)
    means = np.array(cv2.mean(cv2.copyTo(hsv, alpha))[1:3]) * alpha.size / visible / 255
    degrees = rng.integers(-FOREGROUND_HUE, FOREGROUND_HUE)
    shifts = (rng.random(2) - 0.5) * (1.1 - means) / 5
    # A shift upwards is reflected at 255 as one downwards is at 0, once the channel is inverted.
    inverted = (0, *np.where(shifts > 0, 255.0, 0.0), 0)
    cv2.bitwise_xor(hsv, inverted, dst=hsv)
    cv2.absdiff(hsv, (0, *np.rint(255 * np.abs(shifts)), 0), dst=hsv)
    cv2.bitwise_xor(hsv, inverted, dst=hsv)
    _turn_hue(hsv, round(255 * degrees / 360))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def _turn_hue(hsv: np.ndarray, levels: int) -> None:
    """Add to the hue, in place; 8 bits wrap around where the circle does."""
    # Whole rows: NumPy takes three times as long over one channel of three.
    row = np.tile(np.array([levels % 256, 0, 0], np.uint8), hsv.shape[1])
    rows = hsv.reshape(len(hsv), -1)
    rows += row
