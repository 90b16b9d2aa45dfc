"""Which foreground is composed over which backgrounds."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from models.files.atomic import LONGEST
from utils.data.folders import Foreground, Part, foregrounds
from utils.images.names import composite_names
from utils.images.reading import check_same_size, check_sizes, image_size, read_alpha, read_image


class Composite(NamedTuple):
    """A composite: its name, NAME_k, and its background."""

    name: str
    background: Path


class Composition(NamedTuple):
    """A foreground and its composites, k = 0, 1, ..."""

    foreground: Foreground
    composites: list[Composite]


def compositions(
    root: Path | str, part: Part, backgrounds: Sequence[Path], per_foreground: int
) -> list[Composition]:
    """Foreground i of a part over the backgrounds i n to i n + n - 1, as Composition-1k does it.

    The backgrounds begin again when they run out.

    Args:
        backgrounds: paths in order.
        per_foreground: n.

    Raises:
        InputError: as `foregrounds`; n is less than 1; there are no backgrounds; a name is too
            long for those of its composites.
    """
    if not backgrounds:
        raise InputError(f"{root}: no backgrounds to compose the {part} set over; add some")
    found = []
    for i, one in enumerate(foregrounds(root, part)):
        if fault := too_long(one, per_foreground):
            raise InputError(fault)
        composites = [
            Composite(name, Path(backgrounds[(i * per_foreground + k) % len(backgrounds)]))
            for k, name in enumerate(composite_names(one.name, per_foreground))
        ]
        found.append(Composition(one, composites))
    return found


def too_long(foreground: Foreground, per_foreground: int) -> str | None:
    """What is wrong with a name that leaves no room for those of so many composites."""
    last = composite_names(foreground.name, per_foreground)[-1]
    if len(os.fsencode(f"{last}.png")) <= LONGEST:
        return None
    return f"{foreground.fg}: too long a name for composites NAME_k.png; shorten it"


def read_pair(foreground: Foreground) -> tuple[np.ndarray, np.ndarray]:
    """The colours, uint8 (H, W, 3), and the matte, uint8 (H, W), of a foreground.

    Raises:
        InputError: one of them cannot be used, or their sizes differ.
    """
    fg, alpha = read_image(foreground.fg), read_alpha(foreground.alpha)
    check_same_size(foreground.fg, fg, foreground.alpha, alpha)
    return fg, alpha


def count_pixels(compositions: Iterable[Composition]) -> int:
    """How many pixels all composites have, from the headers of their foregrounds.

    Raises:
        InputError: a foreground and its matte differ in size, or one of them is no picture.
    """
    count = 0
    for foreground, composites in compositions:
        if composites:
            height, width = image_size(foreground.fg)
            other = image_size(foreground.alpha)
            check_sizes(foreground.fg, (height, width), foreground.alpha, other)
            count += len(composites) * height * width
    return count
