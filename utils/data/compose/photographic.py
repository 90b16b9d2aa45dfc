"""Composites that look like photographs: what a camera and a person with a trimap brush add.

Networks that are level on plain composites differ on photographs. The strengths below were chosen
so that large, medium and small are as far apart on these as on photographs that they never saw.
"""

import cv2
import numpy as np

from utils.data.augment import hide, jpeg_of_quality
from utils.data.compose.arithmetic import fit_background
from utils.images.trimap import UNKNOWN, make_trimap

SIDE = 800  # of the longer side, at most: photographs are shrunk, foregrounds are not blurred
GAMMA = 2.2  # of the tone curve; defocus, mixture and noise happen to light
BACKGROUND_DEFOCUS = (0.0, 10.0)  # sigma in pixels, evenly drawn as all of these
FOREGROUND_DEFOCUS = (0.0, 0.4)  # of the matte, too
SHOT_NOISE, READ_NOISE = (0.0, 0.01), 0.2  # deviation at full light; at none, of the former
SHARPENING = (0.0, 0.3)  # of an unsharp mask, sigma 1
JPEG_QUALITY = (90, 98)
SNAP = 5  # alpha within it of 0 or 255 becomes that, as in a training store
HIDE, AXES = 0.3, (1.0, 6.0)  # how often an ellipse is unknown, too; half axes, in brushes


def photograph(
    fg: np.ndarray, alpha: np.ndarray, background: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a foreground before a background, and its matte.

    Both layers are light, out of focus by amounts of their own, mixed, with one noise, tone curve,
    sharpening and JPEG over all of it.

    Args:
        fg, background: uint8 (H, W, 3) and of any size.
        alpha: uint8 (H, W).

    Returns:
        uint8 (h, w, 3) and (h, w), the longer side at most `SIDE`.
    """
    height, width = alpha.shape
    scale = min(1.0, SIDE / max(height, width))
    size = round(width * scale), round(height * scale)
    fg, alpha = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (fg, alpha))
    alpha = np.where(alpha <= SNAP, 0, np.where(alpha >= 255 - SNAP, 255, alpha))
    behind = _light(fit_background(background, size[1], size[0]))
    behind = _blurred(behind, rng.uniform(*BACKGROUND_DEFOCUS))
    layer = np.dstack([_light(fg), np.ones(size[::-1], np.float32)])
    layer = _blurred(layer * (alpha / np.float32(255))[..., None], rng.uniform(*FOREGROUND_DEFOCUS))
    light = layer[..., :3] + (1 - layer[..., 3:]) * behind
    shot = rng.uniform(*SHOT_NOISE)
    noise = _blurred(rng.standard_normal(light.shape, np.float32), 0.5)  # demosaicing spreads it
    deviation = shot * np.sqrt(light.clip(0) + READ_NOISE**2)
    picture = (light + deviation * noise / noise.std()).clip(0, 1) ** (1 / GAMMA)
    picture += rng.uniform(*SHARPENING) * (picture - _blurred(picture, 1.0))
    image = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)
    image = jpeg_of_quality(image, int(rng.integers(*JPEG_QUALITY, endpoint=True)))
    return image, np.rint(255 * layer[..., 3]).astype(np.uint8)


def painted_trimap(alpha: np.ndarray, radius: int, rng: np.random.Generator) -> np.ndarray:
    """`make_trimap` as people paint it, with a brush of that radius.

    Gaps between strands where the brush does not fit are unknown, too, and now and then an ellipse.

    Args:
        alpha: uint8 (H, W).

    Returns:
        uint8 (H, W) of 0, 128 and 255.
    """
    unknown = (make_trimap(alpha, radius) == UNKNOWN).astype(np.uint8)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    around = cv2.copyMakeBorder(unknown, *(radius,) * 4, cv2.BORDER_REPLICATE)
    height, width = alpha.shape
    filled = cv2.morphologyEx(around, cv2.MORPH_CLOSE, brush)
    filled = filled[radius : radius + height, radius : radius + width]
    trimap = np.where(filled, np.uint8(UNKNOWN), alpha)
    return hide(trimap, rng, AXES, radius) if rng.random() < HIDE else trimap


def _light(picture: np.ndarray) -> np.ndarray:
    return (picture / np.float32(255)) ** np.float32(GAMMA)


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma) if sigma > 0.1 else picture
