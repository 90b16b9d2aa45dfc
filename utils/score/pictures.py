"""The pictures of a test set: the photograph, the truth, the trimap and the matte of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.cli.problems import refuse
from utils.images.names import find_partners, list_images
from utils.images.reading import (
    check_sizes,
    image_size,
    list_mattes,
    matte_size,
    read_matte,
    read_trimap,
)
from utils.images.trimap import make_trimap

RADIUS = 20  # pixels, of trimaps that are made because a set has none


@dataclass(frozen=True)
class Picture:
    """The files of one test picture: `matte` where a saved one is scored; no `alpha`, no truth.

    Without `trimap`, that of the truth is made: unknown is all within `radius` of a change.
    """

    name: str
    image: Path | None
    alpha: Path | None
    trimap: Path | None
    matte: Path | None = None
    radius: int = RADIUS

    @property
    def outline(self) -> Path:
        """The file that its trimap comes from."""
        return self.trimap or self.alpha

    @property
    def files(self) -> list[Path]:
        """Those that there are."""
        files = (self.image, self.alpha, self.trimap, self.matte)
        return [file for file in files if file is not None]


def trimap_of(picture: Picture) -> np.ndarray:
    """Its trimap, read or made, uint8 (H, W) of 0, 128, 255."""
    if picture.trimap:
        return read_trimap(picture.trimap)
    return make_trimap(read_matte(picture.alpha), picture.radius)


def trimap_rule(pictures: Sequence[Picture]) -> str:
    """By which rule the trimaps of a set were made; empty where it has its own."""
    first = pictures[0]
    return "" if first.trimap else f"made from the truth, radius {first.radius}"


def match(
    images: Path,
    alphas: Path | None,
    trimaps: Path | None,
    shared: bool = False,
    radius: int = RADIUS,
    saved: bool = False,
) -> list[Picture]:
    """The pictures of a folder with their mattes and trimaps, by name without suffix.

    Args:
        images: photographs, or with `saved` the mattes to score.
        alphas: None for pictures whose truth is not known.
        trimaps: None makes them from the truth, with this `radius`.
        shared: NAME_k, k = 0, 1 ..., takes the matte or trimap NAME where it has none of its own.

    Raises:
        InputError: a folder is missing or empty, or cannot be read; a picture lacks its matte or
            trimap, or one of these its picture. A mean over some pictures is not that of the set.
    """
    problems: list[str] = []
    files = (list_mattes if saved else list_images)(images, problems)

    def partners(folder: Path | None) -> dict[str, Path]:
        others = list_images(folder, problems) if folder else {}
        if not files or not others:  # of which an empty folder is a problem already
            return {}
        return find_partners(files, others, folder, problems, shared, own=images)

    truth, known = partners(alphas), partners(trimaps)
    refuse(problems)
    return [
        Picture(
            name,
            image=None if saved else path,
            alpha=truth.get(name),
            trimap=known.get(name),
            matte=path if saved else None,
            radius=radius,
        )
        for name, path in files.items()
    ]


def with_mattes(pictures: Sequence[Picture], mattes: Path) -> list[Picture]:
    """The pictures with saved mattes of the same names.

    Raises:
        InputError: the folder cannot be used; a matte is missing, or one too many.
    """
    files = {one.name: one.files[0] for one in pictures}
    own = next(iter(files.values())).parent
    saved = find_partners(files, list_mattes(mattes), mattes, own=own)
    return [replace(picture, matte=saved[picture.name]) for picture in pictures]


def sizes(pictures: Sequence[Picture]) -> dict[str, tuple[int, int]]:
    """The (height, width) of each picture by name, from the headers of its files.

    Raises:
        InputError: the files of one picture differ in size, or one of them is no picture.
    """
    found = {}
    known: dict[Path, tuple[int, int]] = {}  # composites may share their mattes
    for picture in pictures:
        for file in picture.files:
            if file not in known:
                known[file] = matte_size(file) if file == picture.matte else image_size(file)
        first = picture.matte or picture.files[0]
        for file in picture.files:
            check_sizes(first, known[first], file, known[file])
        found[picture.name] = known[first]
    return found
