"""Score the pictures of a set in several processes, in bounded memory."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from utils.cli.problems import naming
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.images.reading import (
    check_same_size,
    read_image,
    read_matte,
    require_unknown,
    to_8_bits,
    to_float,
)
from utils.images.trimap import require_agreement
from utils.images.trimap_values import UNKNOWN
from utils.images.writing import write_image
from utils.metrics import score, score_exact
from utils.score.floor import fill_by_distance
from utils.score.pictures import Picture, trimap_of, trimap_rule

# matting(image, trimap), uint8 (H, W, 3) and (H, W): the matte, uint8 or floating point in [0, 1].
Matting = Callable[[np.ndarray, np.ndarray], np.ndarray]
FEW = 50  # pictures; fewer are scored before other processes have started


@dataclass(frozen=True)
class Scoring:
    """How a set is scored."""

    workers: int = 0  # processes; 0 scores in this one
    exact: bool = False  # mattes in floating point as they are, not as their 8-bit files
    resume: bool = False  # keep mattes that an earlier test of the same network has left
    worst: str = "SAD"  # the metric by which the sheet of the worst pictures chooses
    region: str = "unknown"  # one of `scores.REGIONS`: over which metrics are taken

    def described(self, pictures: Sequence[Picture]) -> dict:
        """What decides the scores of these pictures but the mattes; plain data."""
        rule = trimap_rule(pictures)
        return {
            "region": self.region,
            **({"trimaps": rule} if rule else {}),
            **({"float": True} if self.exact else {}),
        }


def default_workers(sets: Mapping[str, Sequence[Picture]]) -> int:
    """One process a core, or none where a set is so small that they do not pay."""
    many = max(len(pictures) for pictures in sets.values()) >= FEW
    return (os.cpu_count() or 1) if many else 0


@dataclass(frozen=True)
class _Job:
    picture: Picture
    scoring: Scoring
    matte: np.ndarray | None = None  # of a network; else a saved one is read
    output: Path | None = None  # where it is saved
    floor: bool = False  # score the trimap, filled by distance, instead


def score_saved(label: str, pictures: Sequence[Picture], scoring: Scoring) -> list[dict]:
    """The row of each saved matte, `{"name":, "SAD":, ...}`, in the order of the pictures.

    Raises:
        InputError: a file cannot be used, or the sizes of a picture's files differ.
    """
    return _rows(label, pictures, [_Job(picture, scoring) for picture in pictures], scoring)


def score_floor(label: str, pictures: Sequence[Picture], scoring: Scoring) -> list[dict]:
    """The row of each picture whose unknown region is filled by distance, see `floor`."""
    jobs = [_Job(picture, scoring, floor=True) for picture in pictures]
    return _rows(label, pictures, jobs, scoring)


def score_matting(
    label: str,
    pictures: Sequence[Picture],
    matting: Matting,
    folder: Path,
    scoring: Scoring,
    keep: bool = False,
) -> list[dict]:
    """Matte each photograph in this process; score and save the mattes in others meanwhile.

    No more than `utils.cli.processes.AHEAD` mattes a worker are waiting. Pictures without truth are
    only matted: their rows hold the name alone.

    Args:
        folder: where the mattes go, as NAME.png, 8 bits.
        keep: score mattes that are there, and younger than what they are made from, as they are.

    Raises:
        InputError: a file cannot be used, or the sizes of a picture's files differ.
    """
    return _rows(label, pictures, _matted(pictures, matting, folder, scoring, keep), scoring)


def _matted(
    pictures: Sequence[Picture], matting: Matting, folder: Path, scoring: Scoring, keep: bool
) -> Iterator[_Job]:
    """Jobs that are made when they are asked for: the network runs no further ahead than that."""
    for picture in pictures:
        output = folder / f"{picture.name}.png"
        if keep and _is_made(output, picture):
            yield _Job(replace(picture, matte=output), scoring)
            continue
        image, trimap = read_image(picture.image), trimap_of(picture)
        check_same_size(picture.image, image, picture.outline, trimap)
        require_unknown(picture.outline, trimap)
        with naming(picture.image):
            matte = matting(image, trimap)
        if not scoring.exact:
            matte = to_8_bits(matte)  # a quarter of the way to the worker
        yield _Job(picture, scoring, matte, output)


def _is_made(matte: Path, picture: Picture) -> bool:
    made_from = [picture.image, picture.outline]
    return matte.is_file() and all(
        file.stat().st_mtime_ns <= matte.stat().st_mtime_ns for file in made_from
    )


def _rows(
    label: str, pictures: Sequence[Picture], jobs: Iterable[_Job], scoring: Scoring
) -> list[dict]:
    """Do the jobs; the rows of all pictures in their order."""
    rows = {}
    with progress_bar(desc=label, total=len(pictures), unit="image") as bar:
        for row in run(_score, jobs, scoring.workers, label):
            rows[row["name"]] = row
            bar.update()
    return [rows[picture.name] for picture in pictures]


def _score(job: _Job) -> dict:
    picture, exact = job.picture, job.scoring.exact
    row = {"name": picture.name}
    matte = job.matte
    if picture.alpha:
        trimap = trimap_of(picture)
        if job.floor:
            matte = fill_by_distance(trimap)
        elif matte is None:
            matte = read_matte(picture.matte, exact)
        row |= _scores(picture, matte, trimap, job.scoring)
    if job.output:
        write_image(job.output, to_8_bits(matte))
    return row


def _scores(
    picture: Picture, matte: np.ndarray, trimap: np.ndarray, scoring: Scoring
) -> dict[str, float]:
    """The metrics of a matte, once its picture's files are seen to belong together."""
    source = picture.matte or picture.image
    alpha = read_matte(picture.alpha, scoring.exact)
    check_same_size(source, matte, picture.alpha, alpha)
    check_same_size(source, matte, picture.outline, trimap)
    if scoring.region != "all":
        require_unknown(picture.outline, trimap)
    require_agreement(picture.outline, trimap, picture.alpha, to_8_bits(alpha))
    if scoring.region == "all":
        trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    if scoring.exact:
        return score_exact(to_float(matte), to_float(alpha), trimap)
    return score(matte, alpha, trimap)
