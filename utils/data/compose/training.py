"""Write the training composites to disk, as the published code does; can be resumed."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from models.errors import InputError
from utils.cli.problems import refuse
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.composites import Composition, compositions, read_pair
from utils.data.compose.manifest import pending
from utils.disk.lock import folder_lock
from utils.disk.room import PHOTOGRAPH
from utils.images.reading import read_image
from utils.images.writing import write_image

BATCH = 10  # composites of one job, so that a set of few foregrounds keeps many workers busy


def compose_training_set(
    root: Path | str,
    backgrounds: Sequence[Path],
    per_foreground: int = 100,
    suffix: str = ".png",
    workers: int = 0,
) -> Path:
    """Compose every training foreground of `root` over backgrounds.

    Composite k of a foreground is `root/train/merged/NAME_k.png`; its matte is the foreground's,
    which is never resized. What is there and as it would be made stays (see `pending`). A
    background that cannot be read leaves only its own composites unmade; all such are logged.

    Args:
        backgrounds, per_foreground: as for `compositions`.
        suffix: ".png", or ".jpg" to save space at the price of artefacts.
        workers: processes; 0 composes in this one.

    Returns:
        The folder `root/train/merged`.

    Raises:
        InputError: a picture cannot be used; as `compositions` and `pending`; another process
            composes this set.
    """
    root = Path(root)
    if suffix not in PHOTOGRAPH:
        raise InputError(f"{suffix}: composites are saved as {' or '.join(PHOTOGRAPH)}")
    merged = root / "train" / "merged"
    planned = compositions(root, "train", backgrounds, per_foreground)
    bad: list[str] = []
    with folder_lock(merged, "composing the training set"):
        left = pending(
            merged / "settings.json",
            root,
            planned,
            [path for path in merged.glob("*") if path.suffix in PHOTOGRAPH],
            {"suffix": suffix},
            bytes_per_pixel=PHOTOGRAPH[suffix],
            instead="do without: training composes the same pictures on the fly",
        )
        jobs = [
            _Job(merged, Composition(foreground, composites[start : start + BATCH]), suffix)
            for foreground, composites in left
            for start in range(0, len(composites), BATCH)
        ]
        count = sum(len(job.composition.composites) for job in jobs)
        with progress_bar(total=count, desc="composing", unit="image", disable=not count) as bar:
            for tried, problems in run(_compose_some, jobs, workers, merged):
                bar.update(tried)
                bad += problems
    refuse(
        sorted(set(bad)),
        f"{merged}: {len(bad)} of {per_foreground * len(planned)} composites were not made",
        "mend or remove these backgrounds and run again",
    )
    return merged


class _Job(NamedTuple):
    merged: Path
    composition: Composition
    suffix: str


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
