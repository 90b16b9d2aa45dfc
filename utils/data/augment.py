"""Colour jitter: torchvision's four adjustments, in their written order, on 8-bit pictures."""

import cv2
import numpy as np


def jitter(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and hue, each changed by up to `amount`, evenly drawn.

    Args:
        image: uint8 (H,W,3), RGB.
        amount: factors are drawn from [1 - amount, 1 + amount]; the hue turns by up to
            `amount` of the full circle.
    """
    if not amount:
        return image
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3).astype(np.float32)
    hue = rng.uniform(-amount, amount)
    pixels = (image.astype(np.float32) * brightness).clip(0, 255)
    mean = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).mean()
    pixels = ((pixels - mean) * contrast + mean).clip(0, 255)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
    pixels = ((pixels - grey) * saturation + grey).clip(0, 255)
    # In float32 OpenCV's hue is in degrees.
    hsv = cv2.cvtColor(pixels / 255, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360 * hue) % 360
    return (cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).round().clip(0, 255).astype(np.uint8)
