"""Trimaps from mattes: every radius from one distance transform, and the released narrow ones."""

from pathlib import Path

import cv2
import numpy as np

from models.errors import InputError
from utils.cli.problems import warn_once

UNKNOWN = 128  # beside 0, background, and 255, foreground
LARGEST_RADIUS = 254  # radii are stored in 8 bits
# Shares of the known pixels that contradict a matte. Those of 14 photographs of alphamatting.com
# with two trimaps each contradict nowhere; mirrored, or with the trimap of another of these
# photographs, in 2 % and more.
CONTRADICTIONS = 0.01
CONTRADICTIONS_OF_LEVEL = 0.1  # of the known foreground or background, one of which may be small
MASK_WIDTH = 0.03  # of the square root of a mask's area: how wide its trimap is to each side


def make_trimap(alpha: np.ndarray, radius: int) -> np.ndarray:
    """The trimap of a matte: unknown is everything within `radius` pixels of a change.

    Args:
        alpha: uint8 (H, W).
        radius: 0 to 254; 0 leaves unknown only what is neither 0 nor 255.

    Returns:
        uint8 (H, W) of 0, 128, 255. The same as dilating what is not background and eroding what
        is foreground by a disc of that radius.
    """
    return trimap_from_radius(alpha, unknown_radius(alpha), radius)


def unknown_radius(alpha: np.ndarray) -> np.ndarray:
    """The smallest radius at which each pixel of a matte becomes unknown.

    It does not depend on the radius, so it is computed once for a matte and thresholded for each
    trimap.

    Args:
        alpha: uint8 (H, W).

    Returns:
        uint8 (H, W): 0 where 0 < alpha < 255, else the Euclidean distance in pixels, rounded up, to
        the nearest pixel of another kind: with alpha > 0 for background, < 255 for foreground.
    """
    result = np.zeros(alpha.shape, np.uint8)
    for inside in (alpha == 0, alpha == 255):
        if inside.all():  # nothing to measure a distance to
            return np.full(alpha.shape, 255, np.uint8)
        distance = cv2.distanceTransform(
            inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )
        # The distances are roots of integers in float32: a whole number may come out slightly above
        # itself, and the next root is further away than this.
        result += np.ceil(np.clip(distance - 1e-3, 0, 255)).astype(np.uint8)
    return result


def trimap_from_radius(alpha: np.ndarray, unknown_radius: np.ndarray, radius: int) -> np.ndarray:
    """The trimap, uint8 (H, W) of 0, 128, 255: unknown where `unknown_radius(alpha)` <= `radius`.

    Raises:
        InputError: the radius is not in 0..254.
    """
    _check_radius(radius)
    # Outside the unknown region alpha is 0 or 255 already.
    return np.where(unknown_radius <= radius, np.uint8(UNKNOWN), alpha)


def mask_trimap(mask: np.ndarray, width: int | None = None) -> np.ndarray:
    """The trimap of a mask or a rough matte: unknown is what is near its edge, or soft in it.

    Args:
        mask: uint8 (H, W), foreground from 242 on, background up to 13.
        width: pixels to each side of the edge; None is 3 % of the square root of the area, at
            least 3.

    Returns:
        uint8 (H, W) of 0, 128, 255.

    Raises:
        InputError: nothing or all of the picture is foreground.
    """
    area = np.count_nonzero(mask > 127)
    if area in (0, mask.size):
        raise InputError(f"a mask that marks {'all' if area else 'nothing'} has no edge to matte")
    if width is None:
        width = max(3, round(MASK_WIDTH * area**0.5))
    solid = np.where(mask >= 242, np.uint8(255), np.where(mask <= 13, np.uint8(0), mask))
    return make_trimap(solid, min(width, LARGEST_RADIUS))


def narrow_trimap(alpha: np.ndarray, kernel_size: int) -> np.ndarray:
    """A trimap as the released DCP and SPKD code makes it, by mistake: one step, 1-2 px wide.

    It means to dilate and erode 1 to 19 times with an elliptical kernel of 1 to 4 px, but passes
    the number of times as the third positional argument of `cv2.dilate`, which is `dst` and without
    effect. Unknown is half as much as intended (8.0 % of the picture instead of 15.4 %). Use it
    only to reproduce their numbers.

    Args:
        alpha: uint8 (H, W).
        kernel_size: 1 to 4 pixels.

    Returns:
        uint8 (H, W) of 0, 128, 255.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (kernel_size, kernel_size))
    trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    trimap[cv2.dilate(alpha, kernel) == 0] = 0
    trimap[cv2.erode(alpha, kernel) == 255] = 255
    return trimap


def distance_trimap(alpha: np.ndarray, radius: int) -> np.ndarray:
    """A trimap as IndexNet makes it (Lu et al., ICCV 2019): unknown is what is near soft pixels.

    Other than with `make_trimap`, an edge between 0 and 255 without a pixel between is known.

    Args:
        alpha: uint8 (H, W).
        radius: the largest Euclidean distance, in pixels, to a pixel that is neither 0 nor 255.

    Returns:
        uint8 (H, W) of 0, 128, 255.
    """
    soft = (alpha > 0) & (alpha < 255)
    if not soft.any():
        return alpha.copy()
    distance = cv2.distanceTransform((~soft).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(distance <= radius + 1e-3, np.uint8(UNKNOWN), alpha)


def draw_radius(rng: np.random.Generator, low: int, high: int) -> int:
    """A radius, each of `low`..`high` equally likely.

    The publications mean n = 1..19 iterations with a kernel of k = 2..5 px, which reaches about
    n (k - 1) / 2 px: 1 to 30 or so.

    Raises:
        InputError: not 0 <= low <= high <= 254.
    """
    _check_radius(low)
    _check_radius(high)
    if low > high:
        raise InputError(f"trimap radius {low} to {high}: give the smaller one first")
    return int(rng.integers(low, high, endpoint=True))


def require_agreement(
    trimap_path: Path | str, trimap: np.ndarray, alpha_path: Path | str, alpha: np.ndarray
) -> None:
    """Raise an `InputError` that names both files where a trimap contradicts a matte.

    A pixel does where it is known to be foreground and less than a quarter opaque in the matte, or
    known to be background and more than three quarters opaque. Of a trimap that was exchanged,
    inverted, or made for another picture, many do. A few are told in a warning.

    Args:
        trimap: uint8 (H, W) of 0, 128 and 255.
        alpha: uint8 (H, W), the true matte.
    """
    wrong = known = 0
    refused = False
    for level, contradicts in ((0, alpha >= 192), (255, alpha < 64)):
        here = trimap == level
        count = np.count_nonzero(here)
        bad = np.count_nonzero(here & contradicts)
        refused |= bad > CONTRADICTIONS_OF_LEVEL * count
        wrong, known = wrong + bad, known + count
    if not wrong:
        return
    message = (
        f"{trimap_path}: {100 * wrong / known:.3g} % of its known pixels contradict {alpha_path}"
    )
    if refused or wrong > CONTRADICTIONS * known:
        raise InputError(
            f"{message}; were foreground and background exchanged, or is it of another picture?"
        )
    warn_once(message)


def _check_radius(radius: int) -> None:
    if not 0 <= radius <= LARGEST_RADIUS:
        raise InputError(f"trimap radius {radius}: choose one from 0 to {LARGEST_RADIUS}")
