"""The pictures of a test set: the photograph, the truth, the trimap and the matte of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.cli.problems import refuse
from utils.images.names import list_images
from utils.images.pairing import find_partners
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


def made_rule(pictures: Sequence[Picture]) -> str:
    """By which rule the trimaps of a set were made; empty where it has its own."""
    first = pictures[0]
    return "" if first.trimap else f"made from the truth, radius {first.radius}"


def match(
    images: Path,
    alphas: Path | None,
    trimaps: Path | None,
    shared: bool = False,
    radius: int = RADIUS,
) -> list[Picture]:
    """The pictures of a folder with their mattes and trimaps, by name without suffix.

    Args:
        alphas: None for pictures whose truth is not known.
        trimaps: None makes them from the truth, with this `radius`.
        shared: NAME_k, k = 0, 1 ..., takes the matte or trimap NAME where it has none of its own.

    Raises:
        InputError: a folder is missing or empty, or cannot be read; a picture lacks its matte or
            trimap, or one of these its picture. A mean over some pictures is not that of the set.
    """
    problems: list[str] = []
    photographs = list_images(images, problems)
    truth = _partners(photographs, images, alphas, problems, shared) if alphas else {}
    known = _partners(photographs, images, trimaps, problems, shared) if trimaps else {}
    refuse(problems)
    return [
        Picture(name, path, truth.get(name), known.get(name), radius=radius)
        for name, path in photographs.items()
    ]


def match_saved(
    mattes: Path, alphas: Path, trimaps: Path | None, radius: int = RADIUS
) -> list[Picture]:
    """Saved mattes with their truth.

    Raises:
        InputError: as `match`.
    """
    problems: list[str] = []
    saved = list_mattes(mattes, problems)
    truth = _partners(saved, mattes, alphas, problems)
    known = _partners(saved, mattes, trimaps, problems) if trimaps else {}
    refuse(problems)
    return [
        Picture(name, None, truth[name], known.get(name), path, radius)
        for name, path in saved.items()
    ]


def with_mattes(pictures: Sequence[Picture], mattes: Path) -> list[Picture]:
    """The pictures with saved mattes of the same names.

    Raises:
        InputError: the folder cannot be used; a matte is missing, or one too many.
    """
    wanted = {one.name: one.files[0] for one in pictures}
    own = next(iter(wanted.values())).parent
    saved = find_partners(wanted, list_mattes(mattes), mattes, own=own)
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


def _partners(
    files: dict[str, Path], own: Path, folder: Path, problems: list[str], shared: bool = False
) -> dict[str, Path]:
    """The partners of all files of the folder `own` in `folder`, which has no other files."""
    others = list_images(folder, problems)
    if not files or not others:  # which is a problem already, one
        return {}
    return find_partners(files, others, folder, problems, shared, own)
