"""The rows of a qualitative figure: pictures, the mattes of several methods, and their insets."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from models.errors import InputError
from utils.cli.progress import progress_bar
from utils.images.names import Lookup, find_partners, list_images
from utils.images.reading import (
    check_same_size,
    list_mattes,
    read_image,
    read_matte,
    read_trimap,
    require_unknown,
)
from utils.images.trimap import UNKNOWN

SHARE = 1 / 8  # a chosen square's side, of the longer side of its picture
# Told apart by every eye, also from black, grey and white: after Okabe and Ito, the red purer.
COLOURS = ((230, 40, 20), (86, 180, 233), (240, 228, 66), (0, 158, 115), (204, 121, 167))


@dataclass(frozen=True)
class Row:
    """A photograph, uint8 (H, W, 3), its trimap, truth and each method's matte, uint8 (H, W)."""

    name: str
    image: np.ndarray
    trimap: np.ndarray
    alpha: np.ndarray | None
    methods: Mapping[str, np.ndarray]

    def difference(self) -> np.ndarray:
        """How much the methods differ at each unknown pixel, float64 (H, W); 0 at the others.

        It is the variance of their mattes, whichever of them is right; of a single method the
        squared error. Both are in squared grey levels.
        """
        stack = np.stack(list(self.methods.values()))
        if len(stack) > 1:
            squared = stack.var(axis=0)
        elif self.alpha is not None:
            squared = (stack[0] - self.alpha.astype(np.float64)) ** 2
        else:
            raise InputError(
                "one method and no truth: nothing tells where to look; give --alpha or another "
                "--pred, choose with --picture and --inset, or give --insets 0"
            )
        return squared * (self.trimap == UNKNOWN)


@dataclass(frozen=True)
class Example:
    """The files of a row."""

    name: str
    image: Path
    trimap: Path
    alpha: Path | None
    methods: Mapping[str, Path]

    def read(self) -> Row:
        """Raises an `InputError` where sizes differ, or nothing is unknown."""
        trimap = read_trimap(self.trimap)
        require_unknown(self.trimap, trimap)

        def same_size(path: Path, picture: np.ndarray) -> np.ndarray:
            check_same_size(path, picture, self.trimap, trimap)
            return picture

        image = same_size(self.image, read_image(self.image))
        alpha = same_size(self.alpha, read_matte(self.alpha)) if self.alpha else None
        methods = {title: same_size(one, read_matte(one)) for title, one in self.methods.items()}
        return Row(self.name, image, trimap, alpha, methods)


def parse_methods(texts: Sequence[str]) -> dict[str, Path]:
    """Folders of mattes by label, from `LABEL=DIR` or `DIR`, whose label is the folder's name."""
    methods: dict[str, Path] = {}
    for text in texts:
        label, equals, folder = text.partition("=")
        if not equals or Path(text).expanduser().is_dir():  # a folder's own name may have one
            label, folder = Path(text).resolve().name, text
        if label in methods:
            raise InputError(f"--pred {text}: there is a {label} already; give another label")
        methods[label] = Path(folder).expanduser()
    return methods


def find_examples(
    image: Path,
    trimap: Path,
    alpha: Path | None,
    methods: Mapping[str, Path],
    names: Sequence[str] = (),
) -> list[Example]:
    """The named pictures of the folder `image`, or else all, with their files by name."""
    images = list_images(image)
    lookup = Lookup(images)
    chosen = {}
    for text in names or images:
        name = lookup.find(text)
        if name is None:
            raise InputError(f"{image}: no picture {text}; --picture takes a name without suffix")
        chosen[name] = images[name]

    def partners(files: dict[str, Path], folder: Path) -> dict[str, Path]:
        return find_partners(chosen, files, folder, own=None if names else image)

    trimaps = partners(list_images(trimap), trimap)
    alphas = partners(list_images(alpha), alpha) if alpha else dict.fromkeys(chosen)
    mattes = {title: partners(list_mattes(folder), folder) for title, folder in methods.items()}
    return [
        Example(name, path, trimaps[name], alphas[name], {t: m[name] for t, m in mattes.items()})
        for name, path in chosen.items()
    ]


def most_different(examples: Sequence[Example], count: int) -> list[Example]:
    """The examples whose methods differ most, by the mean over unknown pixels; the first is most.

    Of those with the same truth (composites of one foreground) only the first is taken.
    """
    measured = []
    for example in progress_bar(examples, desc="comparing", unit="image"):
        row = example.read()
        mean = row.difference().mean(where=row.trimap == UNKNOWN)
        truth = row.name if row.alpha is None else hash(row.alpha.tobytes())
        measured.append((mean, truth, example))
    first: dict[object, Example] = {}
    for _, truth, example in sorted(measured, key=lambda one: -one[0]):
        first.setdefault(truth, example)
    return list(first.values())[:count]


class Inset(NamedTuple):
    """A square of a picture: its left, its top and its side, in pixels."""

    x: int
    y: int
    size: int

    def __str__(self) -> str:
        """As `parse_inset` reads it."""
        return f"{self.x},{self.y},{self.size}"


def parse_inset(text: str) -> tuple[str | None, Inset]:
    """`NAME:X,Y,SIZE` or `X,Y,SIZE` as the name, None for all pictures, and the inset."""
    match = re.fullmatch(r"(?:(.+):)?(\d{1,9}),(\d{1,9}),(\d{1,9})", text)
    if not match or not int(match[4]):
        raise InputError(f"--inset {text}: write NAME:X,Y,SIZE or X,Y,SIZE, in whole pixels")
    return match[1], Inset(int(match[2]), int(match[3]), int(match[4]))


def place_insets(
    rows: Sequence[Row], given: Sequence[tuple[str | None, Inset]], count: int
) -> list[list[Inset]]:
    """The insets of each row: those given for it or for all, else `count` chosen."""
    most = len(COLOURS)
    if not 0 <= count <= most:
        raise InputError(f"--insets {count}: choose 0 to {most}")
    names = [row.name for row in rows]
    for name, inset in given:
        if name is not None and name not in names:
            raise InputError(
                f"--inset {name}:{inset}: the figure shows {', '.join(names)}; add --picture {name}"
            )
    placed = []
    for row in rows:
        insets = [inset for owner, inset in given if owner in (None, row.name)]
        height, width = row.trimap.shape
        for inset in insets:
            if inset.x + inset.size > width or inset.y + inset.size > height:
                raise InputError(
                    f"--inset {inset}: not inside {row.name}, which is {width} x {height}; "
                    "choose another place or size"
                )
        if len(insets) > most:
            raise InputError(f"--inset: {len(insets)} for {row.name}; choose at most {most}")
        placed.append(insets or choose_insets(row, count))
    return placed


def choose_insets(row: Row, count: int) -> list[Inset]:
    """The squares over which `Row.difference` sums up to most, from left to right.

    The largest sum first, then the largest of those half a side away from it or farther, and so
    on; where the methods agree, those with the most unknown pixels. A side is an eighth of the
    picture's longer side.
    """
    if not count:
        return []
    height, width = row.trimap.shape
    size = min(height, width, max(1, round(SHARE * max(height, width))))
    unknown = (row.trimap == UNKNOWN).astype(np.float64)
    # Unknown pixels weigh less than one matte one level off at one pixel: they decide ties only.
    sums = _sums(row.difference(), size) + 1e-3 * _sums(unknown, size) / size**2
    apart = size + size // 2
    insets = []
    for _ in range(count):
        y, x = (int(place) for place in np.unravel_index(sums.argmax(), sums.shape))
        if sums[y, x] == -np.inf:
            raise InputError(
                f"{row.name}: no room for {count} insets of {size} pixels; lower --insets, or "
                "choose them with --inset"
            )
        insets.append(Inset(x, y, size))
        sums[max(0, y - apart + 1) : y + apart, max(0, x - apart + 1) : x + apart] = -np.inf
    return sorted(insets)


def _sums(values: np.ndarray, size: int) -> np.ndarray:
    """The sum over each square of `size`, (H - size + 1, W - size + 1), at its upper left pixel."""
    total = cv2.integral(values)
    return total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
