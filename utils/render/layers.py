"""Layers of premultiplied colour and coverage: painting, stacking, the final colour and matte."""

import cv2
import numpy as np

from utils.render.noise import Rng, Shape

SUPERSAMPLE = 4  # canvases are painted this much larger, then averaged: sub-pixel coverage
SHIFT = 4  # fractional bits of the coordinates given to OpenCV


def canvas(shape: Shape) -> np.ndarray:
    """An empty (H * 4, W * 4, 4) uint8 canvas to paint on in RGBA."""
    return np.zeros((shape[0] * SUPERSAMPLE, shape[1] * SUPERSAMPLE, 4), np.uint8)


def draw_line(
    painted: np.ndarray, points: np.ndarray, ink: tuple, thick: float, closed: bool = False
) -> None:
    """A line through points (P, 2), in pixels of the picture; `thick` in pixels of the canvas."""
    width = max(1, round(thick))
    cv2.polylines(painted, [fixed(points)], closed, ink, width, cv2.LINE_AA, SHIFT)


def fill(painted: np.ndarray, outline: np.ndarray, ink: tuple | int) -> None:
    """The polygon with the corners (P, 2), in pixels of the picture."""
    cv2.fillPoly(painted, [fixed(outline)], ink, cv2.LINE_8, SHIFT)


def ink(colour: np.ndarray) -> tuple[float, float, float, int]:
    """A colour in [0, 1] as a canvas takes it; never the black of an empty one."""
    return (*np.clip(colour * 255, 4, 255).tolist(), 255)


def fixed(points: np.ndarray, scale: int = SUPERSAMPLE) -> np.ndarray:
    """Points in pixels as the fixed-point integers of a canvas."""
    return np.round(points * (scale << SHIFT)).astype(np.int32)


def shrink(painted: np.ndarray, shape: Shape) -> np.ndarray:
    """Average a painted canvas down to a layer: (H, W, 4) float32 in [0, 1], premultiplied."""
    small = cv2.resize(painted, shape[::-1], interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def coverage(polygons: list[np.ndarray], shape: Shape) -> np.ndarray:
    """The (H, W) float32 share of each pixel inside the union of polygons of (P, 2) x, y points."""
    painted = np.zeros((shape[0] * SUPERSAMPLE, shape[1] * SUPERSAMPLE), np.uint8)
    for polygon in polygons:
        fill(painted, polygon, 255)
    return shrink(painted, shape)


def layer(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A layer from (H, W, 3) or (3,) colours and an (H, W) matte, all in [0, 1]."""
    alpha = np.clip(alpha, 0, 1).astype(np.float32)[..., None]
    colour = np.broadcast_to(np.clip(colour, 0, 1), (*alpha.shape[:2], 3))
    return np.concatenate([colour * alpha, alpha], axis=2).astype(np.float32)


def stack(*layers: np.ndarray) -> np.ndarray:
    """One layer from several, the nearest first."""
    result = layers[0]
    for below in layers[1:]:
        result = result + below * (1 - result[..., 3:])
    return result


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; of a layer it is the blur of a lens, right because it is premultiplied."""
    if sigma < 0.15:
        return image
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def finish(
    rng: Rng, image: np.ndarray, psf: tuple[float, float] = (0.2, 0.8)
) -> tuple[np.ndarray, np.ndarray]:
    """The 8-bit foreground (H, W, 3) and matte (H, W) of a layer, as a camera would see them.

    Adds the blur of a lens (`psf`, range of its sigma in pixels) and a little sensor noise.
    Colours go on smoothly where the matte is 0; values of it next to 0 and 255 become these.
    """
    image = blur(image, rng.uniform(*psf))
    alpha = quantise(image[..., 3])
    colour = extend(image)
    noise = rng.standard_normal(alpha.shape, dtype=np.float32)[..., None]
    noise = noise + 0.5 * rng.standard_normal(colour.shape, dtype=np.float32)
    colour = colour + noise * rng.uniform(0, 0.012)
    alpha = np.where(alpha <= 2, 0, np.where(alpha >= 253, 255, alpha)).astype(np.uint8)
    # 3/255 rather than 0: a foreground colour is never the black that means "nothing here"
    return quantise(np.clip(colour, 3 / 255, 1)), alpha


def quantise(image: np.ndarray) -> np.ndarray:
    """[0, 1] to uint8, rounded."""
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def extend(image: np.ndarray) -> np.ndarray:
    """The (H, W, 3) colour of a layer, carried on where it covers nothing (push-pull pyramid)."""
    if min(image.shape[:2]) <= 2:
        mean = image.mean((0, 1))
        return np.broadcast_to(mean[:3] / max(mean[3], 1e-4), (*image.shape[:2], 3))
    size = image.shape[1::-1]
    half = cv2.resize(image, ((size[0] + 1) // 2, (size[1] + 1) // 2), interpolation=cv2.INTER_AREA)
    far = cv2.resize(np.ascontiguousarray(extend(half)), size, interpolation=cv2.INTER_LINEAR)
    alpha = image[..., 3:]
    # Below 10 % coverage the 8-bit canvas says too little about colour: trust the neighbours.
    trust = np.clip(alpha * 10, 0, 1)
    near = image[..., :3] / np.maximum(alpha, 1e-4)
    return np.clip(far + trust * (near - far), 0, 1)
