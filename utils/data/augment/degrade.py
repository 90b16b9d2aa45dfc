"""What lenses, cameras and files do to a picture, uint8 (H, W, 3); the matte stays."""

from functools import cache
from math import ceil, log

import cv2
import numpy as np

from utils.config.options import AugmentConfig

GAMMA = (0.7, 1.4)  # about as much brighter as darker
NOISE = 10.0  # levels, as of a phone at night
NOISE_UNIT = 32  # levels of the stored noise for one deviation; 8 bits then hold four either way
JPEG_QUALITY = (40, 95)  # strong blocks to hardly any
BLUR = (0.5, 1.5)  # pixels; the matte stays sharp, so not much
DEFOCUS = (0.0, 6.0)  # pixels of a background that is out of focus


def gamma(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The tone x^g on [0, 1], log g drawn evenly between the logs of `GAMMA`."""
    exponent = np.exp(rng.uniform(*map(log, GAMMA)))
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return cv2.LUT(image, table)


def noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Independent Gaussian noise, its deviation drawn evenly from 0 to `NOISE`."""
    factor = rng.uniform(0, NOISE) / NOISE_UNIT
    stored = _stored_noise(1 << (4 * image.size).bit_length())
    start = rng.integers(len(stored) - image.size)
    part = stored[start : start + image.size].reshape(image.shape)
    return cv2.addWeighted(image, 1, part, factor, -128 * factor)


def jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Saved as JPEG of a quality drawn from `JPEG_QUALITY` and read again."""
    quality = int(rng.integers(*JPEG_QUALITY, endpoint=True))
    return jpeg_of_quality(image, quality)


def jpeg_of_quality(image: np.ndarray, quality: int) -> np.ndarray:
    """Saved as JPEG (4:2:0) and read again."""
    swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian, sigma drawn evenly from `BLUR`, cut off beyond 2 sigma."""
    return _blurred(image, rng.uniform(*BLUR))


def defocus(background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A background behind the plane of focus: Gaussian, sigma drawn evenly from `DEFOCUS`."""
    return _blurred(background, rng.uniform(*DEFOCUS))


DEGRADATIONS = {"gamma": gamma, "blur": blur, "noise": noise, "jpeg": jpeg}  # in this order


def degraded(image: np.ndarray, options: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """The picture after those of `DEGRADATIONS` that chance chose."""
    for name, degrade in DEGRADATIONS.items():
        probability = getattr(options, name)
        if probability and rng.random() < probability:
            image = degrade(image, rng)
    return image


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    side = 2 * ceil(2 * sigma) + 1
    return cv2.GaussianBlur(image, (side, side), sigma)


@cache
def _stored_noise(length: int) -> np.ndarray:
    """Normal noise in 8 bits around 128, the same in every process, to be read from any place.

    Reading is fifty times faster than drawing, and there are millions of places to begin.
    """
    values = np.random.default_rng(0).standard_normal(length, np.float32)
    return np.rint(values * NOISE_UNIT + 128).clip(0, 255).astype(np.uint8)
