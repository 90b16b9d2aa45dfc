"""What is changed at random in a training sample, 8 bits RGB: layers, colours, what cameras do."""

from functools import cache
from math import ceil, log

import cv2
import numpy as np

from utils.config.options import AugmentConfig
from utils.images.trimap import UNKNOWN

POWERS = (1.0, 2.5)  # of a thinner foreground's alpha
AXES = (0.1, 0.5)  # half axes of what is hidden, of the sample's side
GREY = (0.299, 0.587, 0.114)  # what red, green and blue count for in the grey of a picture
FOREGROUND_HUE = 40  # degrees
GAMMA = (0.7, 1.4)  # about as much brighter as darker
NOISE = 10.0  # levels, as of a phone at night
NOISE_UNIT = 32  # levels of the stored noise for one deviation; 8 bits then hold four either way
JPEG_QUALITY = (40, 95)  # strong blocks to hardly any
BLUR = (0.5, 1.5)  # pixels; the matte stays sharp, so not much
DEFOCUS = (0.0, 6.0)  # pixels of a background that is out of focus

# --- foregrounds, uint8 (H, W, 4) RGBA, and their trimaps before they are composed ---------------


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


def hide(
    trimap: np.ndarray,
    rng: np.random.Generator,
    axes: tuple[float, float] = AXES,
    unit: int | None = None,
) -> np.ndarray:
    """The trimap, uint8 (H, W), with one more ellipse of unknown pixels, as people paint them.

    Centre, angle and the two half `axes`, in units of the shorter side or `unit` pixels, are drawn
    evenly.
    """
    centre = rng.uniform(size=2) * trimap.shape[::-1]
    axes = rng.uniform(*axes, size=2) * (unit or min(trimap.shape))
    box = (centre.tolist(), (2 * axes).tolist(), float(rng.uniform(0, 180)))
    return cv2.ellipse(trimap.copy(), box, UNKNOWN, cv2.FILLED)


# --- colours: of a composite as torchvision, of a foreground alone as GCA ------------------------


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


# --- what lenses, cameras and files do to a picture, uint8 (H, W, 3); the matte stays ------------


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
