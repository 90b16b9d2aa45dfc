"""Which foreground is composed over which backgrounds, and what of it is made already."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.atomic import atomic
from models.errors import InputError
from utils.data.folders import Foreground, Part, foregrounds
from utils.images.names import composite_names, name_of
from utils.images.reading import read_alpha, read_image
from utils.images.sizes import check_same_size


class Composite(NamedTuple):
    """A composite: its name, NAME_k, and its background."""

    name: str
    background: Path


class Plan(NamedTuple):
    """A foreground and its composites, k = 0, 1, ..."""

    foreground: Foreground
    composites: list[Composite]


def plan(
    root: Path | str, part: Part, backgrounds: Sequence[Path], per_foreground: int
) -> list[Plan]:
    """Foreground i of a part over the backgrounds i n to i n + n - 1, as Composition-1k does it.

    The backgrounds begin again when they run out.

    Args:
        backgrounds: paths in order.
        per_foreground: n.

    Raises:
        InputError: as `foregrounds`; n is less than 1; there are no backgrounds.
    """
    if not backgrounds:
        raise InputError(f"{root}: no backgrounds to compose the {part} set over; add some")
    plans = []
    for i, one in enumerate(foregrounds(root, part)):
        composites = []
        for k, name in enumerate(composite_names(one.name, per_foreground)):
            background = backgrounds[(i * per_foreground + k) % len(backgrounds)]
            composites.append(Composite(name, Path(background)))
        plans.append(Plan(one, composites))
    return plans


def read_pair(foreground: Foreground) -> tuple[np.ndarray, np.ndarray]:
    """The colours, uint8 (H, W, 3), and the matte, uint8 (H, W), of a foreground.

    Raises:
        InputError: one of them cannot be used, or their sizes differ.
    """
    fg, alpha = read_image(foreground.fg), read_alpha(foreground.alpha)
    check_same_size(foreground.fg, fg, foreground.alpha, alpha)
    return fg, alpha


# --- what is made already ---------------------------------------------------------------------


def is_whole(outputs: Sequence[Path], sources: Sequence[Path]) -> bool:
    """Whether all `outputs` are there, none of them older than any of its `sources`."""
    if not all(path.exists() for path in outputs):
        return False
    oldest = min(path.stat().st_mtime_ns for path in outputs)
    return oldest >= max(path.stat().st_mtime_ns for path in sources)


def outdated(file: Path, settings: dict, pictures: Iterable[Path]) -> list[Path]:
    """Those of `pictures` that were made with other settings, or belong to no composite now.

    Args:
        file: where `note` has left the settings that they were made with.
        settings: those of now; under "composites" a dictionary by NAME_k.
    """
    same = _is_noted(file, settings)
    return [path for path in pictures if not same or name_of(path) not in settings["composites"]]


def note(file: Path, settings: dict) -> None:
    """Leave the settings in `file`, before anything is made with them."""
    if not _is_noted(file, settings):
        with atomic(file) as temporary:
            temporary.write_text(_text(settings), encoding="utf-8")


def place(path: Path, root: Path) -> str:
    """Where a file is, in words that stay true when the data set `root` is moved as a whole."""
    path, root = path.resolve(), root.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _is_noted(file: Path, settings: dict) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == _text(settings)


def _text(settings: dict) -> str:
    return json.dumps(settings, indent=1)
