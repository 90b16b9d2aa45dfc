"""How wide the unknown region of a sample is: its kinds, its places, its trimap in a view."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

from utils.data.store import Stored
from utils.data.trimap import (
    LARGEST_RADIUS,
    UNKNOWN,
    distance_trimap,
    draw_radius,
    narrow_trimap,
    trimap_from_reach,
)
from utils.data.view import View, Window, box, look, within

Kind = Literal["varied", "independent", "distance", "narrow"]
TRIES = 100  # of finding an unknown pixel among those that may be


class Widths(NamedTuple):
    """The width of an unknown region in pixels, into the foreground and into the background.

    Of the kind `narrow` they are the size of its kernel.
    """

    kind: Kind
    foreground: int
    background: int

    def scaled(self, factor: float) -> "Widths":
        """The same for a picture `factor` times as large; the kernel of `narrow` has one size."""
        if self.kind == "narrow":
            return self
        radii = (max(1, round(r * factor)) for r in (self.foreground, self.background))
        return Widths(self.kind, *(min(r, LARGEST_RADIUS) for r in radii))


def draw_widths(kind: Kind, radius: tuple[int, int], rng: np.random.Generator) -> Widths:
    """Widths of a kind, each of `radius[0]..radius[1]` equally likely.

    varied: the same on both sides. independent: drawn for each side (GCA). distance: counted from
    pixels that are neither 0 nor 255, so that a hard edge is known (IndexNet). narrow: the 1 to 2
    pixels of the released DCP and SPKD code, whatever the radius.
    """
    if kind == "narrow":
        size = int(rng.integers(1, 5))
        return Widths(kind, size, size)
    first = draw_radius(rng, *radius)
    return Widths(kind, first, draw_radius(rng, *radius) if kind == "independent" else first)


def unknown_place(stored: Stored, widths: Widths, rng: np.random.Generator) -> tuple[int, int]:
    """(row, column) of an unknown pixel, each equally likely; any pixel where none is unknown."""
    height, width = stored.reach.shape
    radius = max(widths.foreground, widths.background)
    # Of each row how many are near an edge, then which: a thousand times faster than the picture.
    until = stored.counts[radius].cumsum(dtype=np.int64)
    for _ in range(TRIES if until[-1] else 0):
        number = rng.integers(until[-1])
        row = int(until.searchsorted(number, "right"))
        inside = number - (until[row - 1] if row else 0)
        column = int(np.flatnonzero(stored.reach[row] <= radius)[inside])
        if widths.kind == "varied":
            return row, column
        pixel = slice(row, row + 1), slice(column, column + 1)
        if _trimap(stored, widths, pixel)[0, 0] == UNKNOWN:
            return row, column
    if until[-1]:  # few of those that may be are; then look at them all
        whole = _trimap(stored, widths, (slice(0, height), slice(0, width)))
        places = np.flatnonzero(whole == UNKNOWN)
        if len(places):
            return divmod(int(places[rng.integers(len(places))]), width)
    return int(rng.integers(height)), int(rng.integers(width))


def trimap_through(stored: Stored, widths: Widths, view: View, alpha: np.ndarray) -> np.ndarray:
    """The trimap that a view shows, uint8 (crop, crop) of 0, 128 and 255.

    Args:
        alpha: the matte as the view shows it; where that is neither 0 nor 255 is unknown.
    """
    if widths.kind in ("varied", "independent"):
        reach = look(stored.reach, view, cv2.INTER_NEAREST, border=255)
        trimap = _from_reach(alpha, reach, widths)
    else:
        window = box(view, stored.reach.shape)
        trimap = look(_trimap(stored, widths, window), within(view, window), cv2.INTER_NEAREST)
    # Interpolation can make a pixel fractional that the nearest one calls known.
    return np.where(trimap == UNKNOWN, np.uint8(UNKNOWN), cv2.LUT(alpha, LEVELS))


def _trimap(stored: Stored, widths: Widths, window: Window) -> np.ndarray:
    if widths.kind in ("varied", "independent"):
        return _from_reach(stored.rgba[window][..., 3], stored.reach[window], widths)
    rows, columns = window
    margin = max(widths.foreground, widths.background) + 1
    top, left = max(0, rows.start - margin), max(0, columns.start - margin)
    around = stored.rgba[top : rows.stop + margin, left : columns.stop + margin, 3]
    make = distance_trimap if widths.kind == "distance" else narrow_trimap
    trimap = make(np.ascontiguousarray(around), widths.foreground)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    top, left = rows.start - top, columns.start - left
    return trimap[top : top + height, left : left + width]


def _from_reach(alpha: np.ndarray, reach: np.ndarray, widths: Widths) -> np.ndarray:
    if widths.foreground == widths.background:
        return trimap_from_reach(alpha, reach, widths.foreground)
    radius = np.where(alpha, np.uint8(widths.foreground), np.uint8(widths.background))
    return np.where(reach <= radius, np.uint8(UNKNOWN), alpha)


LEVELS = np.full(256, UNKNOWN, np.uint8)
LEVELS[0], LEVELS[255] = 0, 255
