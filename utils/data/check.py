"""Look at every file of a data set and list everything that is wrong with it."""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.folders import Part, backgrounds, foregrounds, parts
from utils.data.split import TRAIN_NAMES, VALID_NAMES, read_split
from utils.data.voc.folders import Labelled, class_names, labelled, read_labelled
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


class _Job(NamedTuple):
    """A foreground and what belongs to it; or a background, which has neither matte nor trimap."""

    colour: Path
    matte: Path | None = None
    trimaps: tuple[Path, ...] = ()


def check_set(
    root: Path | str, workers: int = 0, background_folder: Path | str | None = None
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
        jobs |= dict.fromkeys(_jobs(root, part, background_folder, problems))
    names = list(list_images(root / "train" / "fg", []))
    valid: set[str] = set()
    if names and any((root / file).exists() for file in (TRAIN_NAMES, VALID_NAMES)):
        split = read_split(root, names, problems)
        valid = split.valid.keys() - split.train.keys()
    contents = _looked_at(root, _check, list(jobs), workers, problems)

    def use(path: Path) -> str:
        part = path.parent.parent.name
        return "validation" if part == "train" and path.stem in valid else part

    trained = {content: path for path, content in contents.items() if use(path) == "train"}
    problems += [
        f"{path}: the same picture as {trained[content]}, so the {use(path)} is on what was "
        "trained on; remove one of them"
        for path, content in contents.items()
        if use(path) != "train" and content in trained
    ]
    problems = sorted(set(problems))
    files = (path for one in jobs for path in (one.colour, one.matte, *one.trimaps) if path)
    counts = Counter(path.parent for path in files)
    folders = ", ".join(f"{folder} {count}" for folder, count in counts.items())
    log.info("%s: %d problems", folders, len(problems))
    return problems


def check_labelled(root: Path | str, workers: int = 0) -> list[str]:
    """All that is wrong with the pictures and label maps of a set in VOC's layout, sorted.

    Among it are pictures that are validated on and trained on, under one name or two.

    Raises:
        InputError: no lists, names in them without files, or a worker was killed.
    """
    train, val = labelled(root, "train"), labelled(root, "val")
    problems: list[str] = []
    check = partial(_check_labelled, classes=len(class_names(root)))
    contents = _looked_at(root, check, list(dict.fromkeys(train + val)), workers, problems)
    trained = {contents[one.image]: one.image for one in train}
    for one in val:
        other = trained.get(contents[one.image])
        if other is not None:
            which = "it" if other == one.image else f"the same picture, {other},"
            problems.append(f"{one.image}: {which} is trained on, too; remove it from one list")
    log.info("%s: %d pictures, %d problems", root, len(contents), len(problems))
    return sorted(problems)


def _looked_at(
    root: Path | str, check: Callable, jobs: Sequence, workers: int, problems: list[str]
) -> dict[Path, bytes]:
    """What tells each picture from others; what is wrong with them is added to `problems`."""
    contents: dict[Path, bytes] = {}
    done = run(check, jobs, workers, root)
    for path, content, wrong in progress_bar(done, "checking", len(jobs), unit="picture"):
        problems += wrong
        if content is not None:
            contents[path] = content
    return contents


def _jobs(root: Path, part: Part, elsewhere: Path | str | None, problems: list[str]) -> list[_Job]:
    """The foregrounds of a part, those of the test set with their trimaps, and backgrounds."""
    trimaps: dict[str, list[Path]] = defaultdict(list)
    folder = root / part / "trimap"
    if part == "test" and folder.is_dir():
        names = list_images(root / part / "fg", [])
        for (name, _), path in by_owner(list_images(folder, problems), names, problems).items():
            trimaps[name].append(path)
    pairs = foregrounds(root, part, problems)
    jobs = [_Job(one.fg, one.alpha, tuple(trimaps[one.name])) for one in pairs]
    backgrounds(root, part, elsewhere, problems)  # also looks at the list of their names
    folders = [] if elsewhere is None else [Path(elsewhere)]
    own = root / part / "bg"
    if own.is_dir() or not folders:
        folders.append(own)
    behind = (path for folder in folders for path in list_images(folder, problems).values())
    return [*jobs, *map(_Job, behind)]


def _check(job: _Job) -> tuple[Path, bytes | None, list[str]]:
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
        collect(require_unknown, one, trimap)
        if picture is not None:
            collect(check_same_size, one, trimap, path, picture)
        if matte is not None and matte.shape == trimap.shape and UNKNOWN in trimap:
            collect(require_agreement, one, trimap, job.matte, matte)
    known = colour is not None and job.matte is not None
    return job.colour, hashlib.sha256(colour).digest() if known else None, problems


def _check_labelled(one: Labelled, classes: int) -> tuple[Path, bytes, list[str]]:
    content, problems = hashlib.sha256(one.image.read_bytes()).digest(), []
    try:
        read_labelled(one, classes)
    except InputError as error:
        problems.append(str(error))
    return one.image, content, problems
