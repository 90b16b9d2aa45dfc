"""Write the training composites to disk, as the published code does; can be resumed."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from models.errors import InputError
from utils.cli.problems import refuse
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.composites import Composition, compositions, pixels, read_pair
from utils.data.compose.made import describe, note, outdated, require_made
from utils.disk.lock import alone
from utils.disk.room import PHOTOGRAPH, in_words, require_room
from utils.images.reading import read_image
from utils.images.writing import write_image

log = logging.getLogger(__name__)

BATCH = 10  # composites of one job, so that a set of few foregrounds keeps many workers busy


def compose_training_set(
    root: Path | str,
    backgrounds: Sequence[Path],
    per_foreground: int = 100,
    suffix: str = ".png",
    workers: int = 0,
) -> Path:
    """Compose every training foreground of `root` over backgrounds.

    Foreground i takes the backgrounds i n to i n + n - 1, and begins again when they run out.
    Composite k of a foreground is `root/train/merged/NAME_k.png`; its matte is the foreground's,
    which is never resized.

    Composites that are there, whole and made of these files as they are now, stay; in another
    format all are made again, and those that no longer belong to the set are removed. How many
    there are to make, and about how large they will be, is logged first. A background that cannot
    be read leaves only its own composites unmade; all such are logged.

    Args:
        root: the folder of the data set.
        backgrounds: paths in order.
        per_foreground: n.
        suffix: ".png", or ".jpg" to save space at the price of artefacts.
        workers: processes; 0 composes in this one.

    Returns:
        The folder `root/train/merged`.

    Raises:
        InputError: a picture cannot be used; a matte is of another size than its foreground; there
            is less free space than needed; `merged` holds pictures that were not made here;
            another process composes this set.
    """
    root = Path(root)
    if suffix not in PHOTOGRAPH:
        raise InputError(f"{suffix}: composites are saved as {' or '.join(PHOTOGRAPH)}")
    merged = root / "train" / "merged"
    wanted = compositions(root, "train", backgrounds, per_foreground)
    with alone(merged, "composing the training set"):
        due = _due(root, merged, wanted, suffix)
        jobs = [
            _Job(merged, Composition(foreground, composites[start : start + BATCH]), suffix)
            for foreground, composites in due
            for start in range(0, len(composites), BATCH)
        ]
        count = sum(len(one.composites) for one in due)
        bad: list[str] = []
        with progress_bar(total=count, desc="composing", unit="image", disable=not count) as bar:
            for made, problems in run(_compose_some, jobs, workers, merged):
                bar.update(made)
                bad += problems
    refuse(
        sorted(set(bad)),
        f"{merged}: {len(bad)} of {per_foreground * len(wanted)} composites were not made",
        "mend or remove these backgrounds and run again",
    )
    return merged


class _Job(NamedTuple):
    merged: Path
    composition: Composition
    suffix: str


def _due(root: Path, merged: Path, wanted: list[Composition], suffix: str) -> list[Composition]:
    """What is to be made. What is outdated is removed, once it is known that there is room."""
    sources = {
        one.name: [foreground.fg, foreground.alpha, one.background]
        for foreground, composites in wanted
        for one in composites
    }
    description = describe(root, sources, {"suffix": suffix})
    file = merged / "settings.json"
    pictures = [path for path in merged.glob("*") if path.suffix in PHOTOGRAPH]
    old = outdated(file, description, pictures)
    if file.exists():
        require_made(file, description, pictures)
    elif old:
        raise InputError(
            f"{merged}: holds pictures that were not made here, such as {old[0].name}; "
            "move them away"
        )
    there = {path.name for path in pictures} - {path.name for path in old}
    due = [
        Composition(foreground, [one for one in made if f"{one.name}{suffix}" not in there])
        for foreground, made in wanted
    ]
    count = sum(len(one.composites) for one in due)
    if count:
        needed = pixels(due) * PHOTOGRAPH[suffix]
        log.info(
            "%s: %d composites to make, about %s; %d are there already",
            *(merged, count, in_words(needed), len(sources) - count),
        )
        instead = "do without: training composes the same pictures on the fly"
        require_room(merged, needed, replaced=old, instead=instead)
    for path in old:
        path.unlink()
    note(file, description)
    return due


def _compose_some(job: _Job) -> tuple[int, list[str]]:
    """Compose a few over one foreground; how many were tried, and what was wrong with some."""
    merged, (foreground, composites), suffix = job
    fg, alpha = read_pair(foreground)
    problems = []
    for one in composites:
        try:
            picture = read_image(one.background)
        except InputError as error:
            problems.append(str(error))
            continue
        background = fit_background(picture, *alpha.shape)
        write_image(merged / f"{one.name}{suffix}", compose(fg, alpha, background))
    return len(composites), problems
