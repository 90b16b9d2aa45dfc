"""Look at every file of a data set and list everything that is wrong with it."""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.folders import Foreground, Part, backgrounds, foregrounds, parts
from utils.data.split import TRAIN_NAMES, VALID_NAMES, read_split
from utils.images.names import by_owner, list_images
from utils.images.reading import (
    check_same_size,
    read_alpha,
    read_image,
    read_trimap,
    require_unknown,
)
from utils.images.trimap import UNKNOWN, require_agreement

log = logging.getLogger(__name__)


def check_set(
    root: Path | str,
    workers: int = 0,
    background_folder: Path | str | None = None,
) -> list[str]:
    """All that is wrong with a data set, one line each, sorted.

    Decodes every pair of foreground and matte, trimap and background of the parts that there
    are, and compares their names, their sizes, the lists of names, and the foregrounds: none that
    tests or validates may be trained on. What is made of them (`composed`, `merged`, `store`) is
    not looked at. A summary is logged.

    Args:
        workers: processes; 0 does all in this one.
        background_folder: checked too; with it, the set needs no backgrounds of its own.

    Raises:
        InputError: there is neither `root/train` nor `root/test`, or a worker was killed.
    """
    root = Path(root)
    problems: list[str] = []
    jobs: dict[_Job, None] = {}
    for part in parts(root):
        pairs = foregrounds(root, part, problems)
        jobs |= dict.fromkeys(_foreground_jobs(root, part, pairs, problems))
        jobs |= dict.fromkeys(_background_jobs(root, part, background_folder, problems))
    names = list(list_images(root / "train" / "fg", []))
    valid: set[str] = set()
    if names and any((root / file).exists() for file in (TRAIN_NAMES, VALID_NAMES)):
        split = read_split(root, names, problems)
        valid = split.valid.keys() - split.train.keys()

    counts = Counter(path.parent for job in jobs for path in job.files)
    pixels = 0
    contents: dict[Path, bytes] = {}
    with progress_bar(total=sum(counts.values()), desc="checking", unit="file") as bar:
        for result in run(_check, list(jobs), workers, root):
            problems += result.problems
            pixels += result.pixels
            contents |= result.content
            bar.update(result.files)
    problems += _shown_twice(contents, valid)
    problems = sorted(set(problems))
    folders = ", ".join(f"{folder} {count}" for folder, count in counts.items())
    log.info("%s: %.0f megapixels, %d problems", folders, pixels / 1e6, len(problems))
    return problems


class _Job(NamedTuple):
    """A foreground and what belongs to it; or a background, which has neither matte nor trimap."""

    colour: Path
    matte: Path | None = None
    trimaps: tuple[Path, ...] = ()

    @property
    def files(self) -> list[Path]:
        return [path for path in (self.colour, self.matte, *self.trimaps) if path is not None]


class _Result(NamedTuple):
    files: int
    pixels: int
    problems: list[str]
    content: dict[Path, bytes]  # what tells the colours of a foreground from those of others


def _shown_twice(contents: dict[Path, bytes], valid: set[str]) -> list[str]:
    """A line for each foreground that tests or validates and is, under another name, trained on."""

    def use(path: Path) -> str:
        part = path.parent.parent.name
        return "validation" if part == "train" and path.stem in valid else part

    trained = {content: path for path, content in contents.items() if use(path) == "train"}
    return [
        f"{path}: the same picture as {trained[content]}, so the {use(path)} is on what was "
        "trained on; remove one of them"
        for path, content in contents.items()
        if use(path) != "train" and content in trained
    ]


def _foreground_jobs(
    root: Path, part: Part, pairs: list[Foreground], problems: list[str]
) -> list[_Job]:
    """The foregrounds of a part, those of the test set with their trimaps."""
    trimaps: dict[str, list[Path]] = defaultdict(list)
    folder = root / part / "trimap"
    if part == "test" and folder.is_dir():
        names = list_images(root / part / "fg", [])
        owned = by_owner(list_images(folder, problems), names, problems)
        for (name, _), path in owned.items():
            trimaps[name].append(path)
    return [_Job(one.fg, one.alpha, tuple(trimaps[one.name])) for one in pairs]


def _background_jobs(
    root: Path, part: Part, elsewhere: Path | str | None, problems: list[str]
) -> list[_Job]:
    """The backgrounds of a part, and those that are taken instead."""
    backgrounds(root, part, elsewhere, problems)  # also looks at the list of their names
    folders = [] if elsewhere is None else [Path(elsewhere)]
    own = root / part / "bg"
    if own.is_dir() or not folders:
        folders.append(own)
    return [_Job(path) for folder in folders for path in list_images(folder, problems).values()]


def _check(job: _Job) -> _Result:
    """Decode the files of one job and compare them."""
    problems: list[str] = []

    def collect(function: Callable[..., np.ndarray | None], *arguments) -> np.ndarray | None:
        try:
            return function(*arguments)
        except InputError as error:
            problems.append(str(error))
            return None

    colour = collect(read_image, job.colour)
    matte = collect(read_alpha, job.matte) if job.matte else None
    pixels = sum(one.shape[0] * one.shape[1] for one in (colour, matte) if one is not None)
    if colour is not None and matte is not None:
        collect(check_same_size, job.colour, colour, job.matte, matte)
    if matte is not None and np.ptp(matte) == 0 and matte.max() in (0, 255):
        problems.append(
            f"{job.matte}: {matte.max()} everywhere, so there is nothing to learn from it; "
            "remove it and its foreground"
        )
    path, picture = (job.matte, matte) if colour is None else (job.colour, colour)
    for one in job.trimaps:  # one after the other: a foreground may bring twenty
        trimap = collect(read_trimap, one)
        if trimap is None:
            continue
        pixels += trimap.size
        collect(require_unknown, one, trimap)
        if picture is not None:
            collect(check_same_size, one, trimap, path, picture)
        if matte is not None and matte.shape == trimap.shape and UNKNOWN in trimap:
            collect(require_agreement, one, trimap, job.matte, matte)
    content = {}
    if colour is not None and job.matte is not None:
        content[job.colour] = hashlib.sha256(colour).digest()
    return _Result(len(job.files), pixels, problems, content)
