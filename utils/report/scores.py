"""Score mattes against the truth: those of a network, or saved ones."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np

from models.atomic import atomic
from models.errors import InputError
from utils.data.images import (
    check_same_size,
    list_images,
    read_alpha,
    read_image,
    read_trimap,
    require_unknown,
)
from utils.metrics import score

METRICS = ("SAD", "MSE", "Grad", "Conn")


@dataclass(frozen=True)
class Picture:
    """The files of one test picture; `image` is its photograph, or a saved matte of it."""

    name: str
    image: Path
    alpha: Path
    trimap: Path


@dataclass
class Scores:
    """Scores of one method: a row for each picture, and what else is known of it."""

    label: str
    images: list[dict] = field(default_factory=list)
    about: dict = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """The mean of each metric over the pictures where it is defined."""
        columns = {m: [row[m] for row in self.images if not math.isnan(row[m])] for m in METRICS}
        return {m: fmean(values) if values else math.nan for m, values in columns.items()}

    def write_json(self, path: Path) -> None:
        """`{"SAD":, "MSE":, "Grad":, "Conn":, "images": [{"name":, ...}]}`; undefined is null."""
        content = {**self.means(), "label": self.label, **self.about, "images": self.images}
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(_without_nan(content), indent=1), encoding="utf-8")

    def write_csv(self, path: Path) -> None:
        """One line a picture."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(self.images[0]))
        writer.writeheader()
        writer.writerows(self.images)
        with atomic(path) as temporary:
            temporary.write_text(buffer.getvalue(), encoding="utf-8")


def match(images: Path, alphas: Path, trimaps: Path) -> list[Picture]:
    """The pictures of a folder with their mattes and trimaps, by name without suffix.

    Raises:
        InputError: a folder is missing or empty, or a picture lacks its matte or trimap.
    """
    found = [list_images(folder) for folder in (images, alphas, trimaps)]
    _require_all(alphas, found[1], found[0])
    _require_all(trimaps, found[2], found[0])
    return [Picture(name, *(files[name] for files in found)) for name in found[0]]


def match_saved(mattes: Path, alphas: Path, trimaps: Path) -> list[Picture]:
    """As `match`, for saved mattes: a mean over some pictures is not the mean of the set.

    Raises:
        InputError: as `match`; also when a saved matte is missing.
    """
    pictures = match(mattes, alphas, trimaps)
    _require_all(mattes, list_images(mattes), list_images(trimaps) | list_images(alphas))
    return pictures


def score_saved(pictures: Sequence[Picture]) -> Iterator[dict]:
    """The row of each saved matte, one after the other."""
    for picture in pictures:
        matte = read_alpha(picture.image)
        alpha, trimap = _truth(picture, matte)
        yield {"name": picture.name, **score(matte, alpha, trimap)}


def score_network(
    pictures: Sequence[Picture], matte: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Iterator[tuple[dict, np.ndarray]]:
    """The row and the matte of each photograph, by `matte(image, trimap)`."""
    for picture in pictures:
        image = read_image(picture.image)
        alpha, trimap = _truth(picture, image)
        predicted = matte(image, trimap)
        yield {"name": picture.name, **score(predicted, alpha, trimap)}, predicted


def _require_all(folder: Path, files: dict[str, Path], wanted: dict[str, Path]) -> None:
    missing = sorted(wanted.keys() - files.keys())
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"{folder}: nothing for {wanted[missing[0]].name}{more}; "
            "files that belong together have the same name"
        )


def _truth(picture: Picture, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    alpha, trimap = read_alpha(picture.alpha), read_trimap(picture.trimap)
    check_same_size(picture.image, image, picture.alpha, alpha)
    check_same_size(picture.image, image, picture.trimap, trimap)
    require_unknown(picture.trimap, trimap)
    return alpha, trimap


def _without_nan(content: object) -> object:
    """JSON knows no nan."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
