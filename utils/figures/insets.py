"""Enlarged squares of a figure: given by hand, or where the methods differ most."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from models.errors import InputError
from utils.figures.examples import Mattes
from utils.images.trimap import UNKNOWN

SHARE = 1 / 8  # a chosen square's side, of the longer side of its picture
# Told apart by every eye, also from black, grey and white: after Okabe and Ito, the red purer.
COLOURS = ((230, 40, 20), (86, 180, 233), (240, 228, 66), (0, 158, 115), (204, 121, 167))


class Inset(NamedTuple):
    """A square of a picture: its left, its top and its side, in pixels."""

    x: int
    y: int
    size: int

    def __str__(self) -> str:
        """As `parse_inset` reads it."""
        return f"{self.x},{self.y},{self.size}"


def parse_inset(text: str) -> tuple[str | None, Inset]:
    """`NAME:X,Y,SIZE` or `X,Y,SIZE` as the name, None for all pictures, and the inset.

    Raises:
        InputError: it reads otherwise.
    """
    match = re.fullmatch(r"(?:(.+):)?(\d{1,9}),(\d{1,9}),(\d{1,9})", text)
    if not match or not int(match[4]):
        raise InputError(f"--inset {text}: write NAME:X,Y,SIZE or X,Y,SIZE, in whole pixels")
    return match[1], Inset(int(match[2]), int(match[3]), int(match[4]))


def place_insets(
    pictures: dict[str, Mattes], given: Sequence[tuple[str | None, Inset]], count: int
) -> dict[str, list[Inset]]:
    """The insets of each picture, by its name: those given for it or for all, else `count` chosen.

    Raises:
        InputError: one is outside its picture or belongs to none, there are more than colours, or
            as `choose_insets`.
    """
    if not 0 <= count <= len(COLOURS):
        raise InputError(f"--insets {count}: choose 0 to {len(COLOURS)}")
    for name, inset in given:
        if name is not None and name not in pictures:
            raise InputError(
                f"--inset {name}:{inset}: the figure shows {', '.join(pictures)}; "
                f"add --picture {name}"
            )
    placed = {}
    for name, mattes in pictures.items():
        insets = [inset for owner, inset in given if owner in (None, name)]
        height, width = mattes.trimap.shape
        for inset in insets:
            if inset.x + inset.size > width or inset.y + inset.size > height:
                raise InputError(
                    f"--inset {inset}: not inside {name}, which is {width} x {height}; "
                    "choose another place or size"
                )
        if len(insets) > len(COLOURS):
            raise InputError(
                f"--inset: {len(insets)} for {name}; choose at most {len(COLOURS)}, "
                "more cannot be told apart"
            )
        placed[name] = insets or choose_insets(name, mattes, count)
    return placed


def choose_insets(name: str, mattes: Mattes, count: int) -> list[Inset]:
    """The squares over which `Mattes.difference` sums up to most, from left to right.

    The largest sum first, then the largest of those half a side away from it or farther, and so
    on; where the methods agree, those with the most unknown pixels. A side is an eighth of the
    picture's longer side.

    Args:
        name: of the picture, for messages.

    Raises:
        InputError: so many have no room, or there is one method and no truth.
    """
    if not count:
        return []
    height, width = mattes.trimap.shape
    size = min(height, width, max(1, round(SHARE * max(height, width))))
    unknown = (mattes.trimap == UNKNOWN).astype(np.float64)
    # Unknown pixels weigh less than one matte one level off at one pixel: they decide ties only.
    sums = _sums(mattes.difference(), size) + 1e-3 * _sums(unknown, size) / size**2
    apart = size + size // 2
    insets = []
    for _ in range(count):
        y, x = (int(place) for place in np.unravel_index(sums.argmax(), sums.shape))
        if sums[y, x] == -np.inf:
            raise InputError(
                f"{name}: no room for {count} insets of {size} pixels; lower --insets, or choose "
                "them with --inset"
            )
        insets.append(Inset(x, y, size))
        sums[max(0, y - apart + 1) : y + apart, max(0, x - apart + 1) : x + apart] = -np.inf
    return sorted(insets)


def _sums(values: np.ndarray, size: int) -> np.ndarray:
    """The sum over each square of `size`, (H - size + 1, W - size + 1), at its upper left pixel."""
    total = cv2.integral(values)
    return total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
