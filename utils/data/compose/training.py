"""Write the training composites to disk, as the published code does; can be resumed."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from models.errors import InputError
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.composites import Plan, is_whole, note, outdated, place, plan, read_pair
from utils.images.reading import read_image
from utils.images.sizes import check_sizes, image_size
from utils.images.writing import write_image
from utils.processes import run

log = logging.getLogger(__name__)

# Roughly what a pixel takes, and so the formats that there are.
BYTES_PER_PIXEL = {".png": 1.8, ".jpg": 0.4}
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

    Composites that are there, whole and newer than their sources, stay; with other settings all
    are made again, and those that no longer belong to the set are removed. How many there are to
    make, and about how large they will be, is logged first. A background that cannot be read
    leaves only its own composites unmade; all such are logged.

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
            is less free space than needed; `merged` holds pictures that were not made here.
    """
    root = Path(root)
    if suffix not in BYTES_PER_PIXEL:
        raise InputError(f"{suffix}: composites are saved as {' or '.join(BYTES_PER_PIXEL)}")
    merged = root / "train" / "merged"
    plans = plan(root, "train", backgrounds, per_foreground)
    total = sum(len(one.composites) for one in plans)
    settings = {
        "suffix": suffix,
        "composites": {one.name: place(one.background, root) for _, made in plans for one in made},
    }
    file = merged / "settings.json"
    others = outdated(file, settings, [path for path in merged.glob("*") if _is_ours(path)])
    if others and not file.exists():
        raise InputError(
            f"{merged}: holds pictures that were not made here, such as {others[0].name}; "
            "move them away"
        )
    due = [_due(merged, one, suffix, set(others)) for one in plans]
    count = sum(len(one.composites) for one in due)
    if count:
        _check_space(merged, due, suffix, others, there=total - count)
    for path in others:
        path.unlink()
    note(file, settings)

    jobs = [
        _Job(merged, Plan(foreground, composites[start : start + BATCH]), suffix)
        for foreground, composites in due
        for start in range(0, len(composites), BATCH)
    ]
    problems: list[str] = []
    with tqdm(total=count, desc="composing", unit="image", disable=not count) as progress:
        for made, bad in run(_compose_some, jobs, workers, merged):
            progress.update(made)
            problems += bad
    for problem in sorted(set(problems)):
        log.error(problem)
    if problems:
        raise InputError(
            f"{merged}: {len(problems)} of {total} composites were not made ({min(problems)}); "
            "mend or remove these backgrounds and run again"
        )
    return merged


class _Job(NamedTuple):
    merged: Path
    plan: Plan
    suffix: str


def _is_ours(path: Path) -> bool:
    return path.suffix in BYTES_PER_PIXEL


def _due(merged: Path, plan: Plan, suffix: str, others: set[Path]) -> Plan:
    """What is not there, or will be removed."""
    foreground, composites = plan
    due = []
    for one in composites:
        output = merged / f"{one.name}{suffix}"
        sources = [foreground.fg, foreground.alpha, one.background]
        if output in others or not is_whole([output], sources):
            due.append(one)
    return Plan(foreground, due)


def _check_space(
    merged: Path, due: list[Plan], suffix: str, others: list[Path], there: int
) -> None:
    """Say what will be made; raise an `InputError` when it does not fit on the disk."""
    needed, count = 0.0, 0
    replaced = set(others)
    for foreground, composites in due:
        if not composites:
            continue
        size = image_size(foreground.fg)
        check_sizes(foreground.fg, size, foreground.alpha, image_size(foreground.alpha))
        needed += len(composites) * size[0] * size[1] * BYTES_PER_PIXEL[suffix]
        count += len(composites)
        outputs = (merged / f"{one.name}{suffix}" for one in composites)
        replaced.update(path for path in outputs if path.exists())
    log.info(
        "%s: %d composites to make, about %.1f GB; %d are there already",
        *(merged, count, needed / 1e9, there),
    )
    free = shutil.disk_usage(merged if merged.exists() else merged.parent).free
    free += sum(path.stat().st_size for path in replaced)
    if needed > free:
        raise InputError(
            f"{merged}: needs about {needed / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free; make "
            "room, or do without: training composes the same pictures on the fly"
        )


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
