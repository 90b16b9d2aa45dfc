"""How wide the unknown region of a sample is: its kinds, its places, its trimap in a view."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

from utils.data.crops.view import View, Window, box, sample_view, within
from utils.data.store import Stored
from utils.images.trimap import (
    LARGEST_RADIUS,
    UNKNOWN,
    distance_trimap,
    draw_radius,
    narrow_trimap,
    trimap_from_radius,
)

Kind = Literal["varied", "independent", "distance", "narrow"]
TRIES = 100  # of finding an unknown pixel among those that may be


class Radii(NamedTuple):
    """The width of an unknown region in pixels, into the foreground and into the background.

    Of the kind `narrow` they are the size of its kernel.
    """

    kind: Kind
    foreground: int
    background: int

    def scaled(self, factor: float) -> "Radii":
        """The same for a picture `factor` times as large; the kernel of `narrow` has one size."""
        if self.kind == "narrow":
            return self
        both = (max(1, round(r * factor)) for r in (self.foreground, self.background))
        return Radii(self.kind, *(min(r, LARGEST_RADIUS) for r in both))


def draw_radii(kind: Kind, radius: tuple[int, int], rng: np.random.Generator) -> Radii:
    """Radii of a kind, each of `radius[0]..radius[1]` equally likely.

    varied: the same on both sides. independent: drawn for each side (GCA). distance: counted from
    pixels that are neither 0 nor 255, so that a hard edge is known (IndexNet). narrow: the 1 to 2
    pixels of the released DCP and SPKD code, whatever the radius.
    """
    if kind == "narrow":
        size = int(rng.integers(1, 5))
        return Radii(kind, size, size)
    first = draw_radius(rng, *radius)
    return Radii(kind, first, draw_radius(rng, *radius) if kind == "independent" else first)


def unknown_place(stored: Stored, radii: Radii, rng: np.random.Generator) -> tuple[int, int]:
    """(row, column) of an unknown pixel, each equally likely; any pixel where none is unknown."""
    height, width = stored.unknown_radius.shape
    radius = max(radii.foreground, radii.background)
    # Of each row how many are near an edge, then which: a thousand times faster than the picture.
    until = stored.counts[radius].cumsum(dtype=np.int64)
    for _ in range(TRIES if until[-1] else 0):
        number = rng.integers(until[-1])
        row = int(until.searchsorted(number, "right"))
        inside = number - (until[row - 1] if row else 0)
        column = int(np.flatnonzero(stored.unknown_radius[row] <= radius)[inside])
        pixel = slice(row, row + 1), slice(column, column + 1)
        if radii.kind == "varied" or _trimap(stored, radii, pixel)[0, 0] == UNKNOWN:
            return row, column
    if until[-1]:  # few of those that may be are; then look at them all
        whole = _trimap(stored, radii, (slice(0, height), slice(0, width)))
        places = np.flatnonzero(whole == UNKNOWN)
        if len(places):
            return divmod(int(places[rng.integers(len(places))]), width)
    return int(rng.integers(height)), int(rng.integers(width))


def trimap_through(stored: Stored, radii: Radii, view: View, alpha: np.ndarray) -> np.ndarray:
    """The trimap that a view shows, uint8 (crop, crop) of 0, 128 and 255.

    Args:
        alpha: the matte as the view shows it; where that is neither 0 nor 255 is unknown.
    """
    if radii.kind in ("varied", "independent"):
        unknown_radius = sample_view(stored.unknown_radius, view, cv2.INTER_NEAREST, border=255)
        trimap = _within_radii(alpha, unknown_radius, radii)
    else:
        window = box(view, stored.unknown_radius.shape)
        part = _trimap(stored, radii, window)
        trimap = sample_view(part, within(view, window), cv2.INTER_NEAREST)
    # Interpolation can make a pixel fractional that the nearest one calls known.
    return np.where(trimap == UNKNOWN, np.uint8(UNKNOWN), cv2.LUT(alpha, LEVELS))


def _trimap(stored: Stored, radii: Radii, window: Window) -> np.ndarray:
    """A window of the trimap of the whole picture."""
    if radii.kind in ("varied", "independent"):
        alpha = stored.rgba[window][..., 3]
        return _within_radii(alpha, stored.unknown_radius[window], radii)
    rows, columns = window
    margin = max(radii.foreground, radii.background) + 1
    top, left = max(0, rows.start - margin), max(0, columns.start - margin)
    around = stored.rgba[top : rows.stop + margin, left : columns.stop + margin, 3]
    make = distance_trimap if radii.kind == "distance" else narrow_trimap
    trimap = make(np.ascontiguousarray(around), radii.foreground)
    return trimap[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def _within_radii(alpha: np.ndarray, unknown_radius: np.ndarray, radii: Radii) -> np.ndarray:
    if radii.foreground == radii.background:
        return trimap_from_radius(alpha, unknown_radius, radii.foreground)
    radius = np.where(alpha, np.uint8(radii.foreground), np.uint8(radii.background))
    return np.where(unknown_radius <= radius, np.uint8(UNKNOWN), alpha)


LEVELS = np.full(256, UNKNOWN, np.uint8)
LEVELS[0], LEVELS[255] = 0, 255
