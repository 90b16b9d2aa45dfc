"""What is done to a foreground, uint8 (H, W, 4) RGBA, and its trimap before it is composed."""

import cv2
import numpy as np

from utils.images.trimap import UNKNOWN

POWERS = (1.0, 2.5)  # of a thinner foreground's alpha
AXES = (0.1, 0.5)  # half axes of what is hidden, of the sample's side


def fuse(front: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """One foreground over another as the release of GCA (Li and Lu, AAAI 2020) has it.

    Alpha is 1 - (1 - a1)(1 - a2), colour a1 f1 + (1 - a1) f2. So the colour behind shows at the
    soft pixels of the front even where a2 is 0, and they look more transparent than their alpha is.
    Colours are within one level; `front` itself where the fused alpha would be 255 everywhere.
    """
    weight = cv2.merge([cv2.extractChannel(front, 3)] * 4)
    # With 255 in the place of a1, one blend of all four channels gives the fused alpha as well.
    opaque = cv2.bitwise_or(front, (0, 0, 0, 255))
    fused = cv2.add(
        cv2.multiply(opaque, weight, scale=1 / 255),
        cv2.multiply(behind, cv2.bitwise_not(weight), scale=1 / 255),
    )
    return fused if cv2.extractChannel(fused, 3).min() < 255 else front


def fuse_exactly(front: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """One foreground over another: the same alpha, colour (a1 f1 + (1 - a1) a2 f2) / alpha.

    "Over" of Porter and Duff (SIGGRAPH 1984), for matting Ye et al. (AAAI 2023): the result over
    any background is the front over a composite of what is behind and that background. It has the
    front's colour where neither covers anything; `front` itself as for `fuse`.
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


def thin(layer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The foreground with alpha (in [0, 1]) raised to a power drawn evenly from `POWERS`.

    What is opaque or empty stays. Where the mattes of a training set are more solid than what they
    show, networks learn that from them; with this they see hair of any density.
    """
    curve = np.rint(255 * (np.arange(256) / 255) ** rng.uniform(*POWERS)).astype(np.uint8)
    thinner = layer.copy()
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(layer, 3), curve), thinner, 3)
    return thinner


def hide(trimap: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The trimap, uint8 (H, W), with one more ellipse of unknown pixels, as people paint them.

    Centre, angle and the two half axes, from `AXES`, are drawn evenly.
    """
    centre = rng.uniform(size=2) * trimap.shape[::-1]
    axes = rng.uniform(*AXES, size=2) * min(trimap.shape)
    box = (centre.tolist(), (2 * axes).tolist(), float(rng.uniform(0, 180)))
    return cv2.ellipse(trimap.copy(), box, UNKNOWN, cv2.FILLED)


def hide_foreground(trimap: np.ndarray) -> np.ndarray:
    """The trimap, uint8 (H, W), with its known foreground unknown."""
    return np.minimum(trimap, np.uint8(UNKNOWN))
