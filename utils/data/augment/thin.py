"""Foregrounds through which more of the background shows."""

import cv2
import numpy as np

POWERS = (1.0, 2.5)


def thin(layer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The foreground with alpha (in [0, 1]) raised to a power, evenly drawn from `POWERS`.

    What is opaque or empty stays. Where the mattes of a training set are more solid than what they
    show, networks learn that from them; with this they see hair of any density.

    Args:
        layer: uint8 (H, W, 4), RGBA.

    Returns:
        uint8 (H, W, 4), alpha rounded, a new array.
    """
    curve = np.rint(255 * (np.arange(256) / 255) ** rng.uniform(*POWERS)).astype(np.uint8)
    thinner = layer.copy()
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(layer, 3), curve), thinner, 3)
    return thinner
