"""Score the pictures of a set in several processes, in bounded memory; can be continued."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.cli.problems import naming
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.images.agreement import require_agreement
from utils.images.levels import UNKNOWN
from utils.images.mattes import read_matte, to_8_bits, to_float
from utils.images.reading import read_image, require_unknown
from utils.images.sizes import check_same_size
from utils.images.writing import write_image
from utils.metrics import score, score_exact
from utils.score.floor import fill_by_distance
from utils.score.journal import Journal
from utils.score.pictures import Picture, made_rule, trimap_of

Matting = Callable[[np.ndarray, np.ndarray], np.ndarray]
FEW = 50  # pictures; fewer are scored before other processes have started


@dataclass(frozen=True)
class Scoring:
    """How a set is scored."""

    workers: int = 0  # processes; 0 scores in this one
    exact: bool = False  # mattes in floating point as they are, not as their 8-bit files
    resume: bool = False  # keep what was scored before, with the same settings
    worst: str = "SAD"  # the metric by which the sheet of the worst pictures chooses
    region: str = "unknown"  # one of `scores.REGIONS`: over which metrics are taken

    def described(self, pictures: Sequence[Picture]) -> dict:
        """What decides the scores of these pictures but the mattes; plain data."""
        rule = made_rule(pictures)
        return {
            "region": self.region,
            **({"trimaps": rule} if rule else {}),
            **({"float": True} if self.exact else {}),
        }


def default_workers(sets: Mapping[str, Sequence[Picture]]) -> int:
    """One process a core, or none where a set is so small that they do not pay."""
    many = max(len(pictures) for pictures in sets.values()) >= FEW
    return (os.cpu_count() or 1) if many else 0


def score_saved(
    label: str,
    pictures: Sequence[Picture],
    scoring: Scoring,
    journal: Path | None = None,
    of: dict | None = None,
) -> list[dict]:
    """The row of each saved matte, `{"name":, "SAD":, ...}`, in the order of the pictures.

    Args:
        journal: the file that `scoring.resume` continues.
        of: what is noted there as the `owned.origin` of the rows.

    Raises:
        InputError: a file cannot be used, or the sizes of a picture's files differ.
    """
    sources = {picture.name: picture.files for picture in pictures}
    done = Journal(
        journal, {**scoring.described(pictures), "of": of or {}}, sources, scoring.resume
    )
    due = [picture for picture in pictures if picture.name not in done.rows]
    jobs = [_Job(picture, scoring.exact, region=scoring.region) for picture in due]
    return _collect(label, pictures, jobs, done, scoring.workers)


def score_floor(label: str, pictures: Sequence[Picture], scoring: Scoring) -> list[dict]:
    """The row of each picture whose unknown region is filled by distance, see `floor`."""
    done = Journal(None, {}, {})
    how = {"region": scoring.region, "floor": True}
    jobs = [_Job(picture, scoring.exact, **how) for picture in pictures]
    return _collect(label, pictures, jobs, done, scoring.workers)


def score_matting(
    label: str,
    pictures: Sequence[Picture],
    matting: Matting,
    folder: Path,
    settings: dict,
    scoring: Scoring,
    journal: Path,
) -> list[dict]:
    """Matte each photograph in this process; score and save the mattes in others meanwhile.

    No more than `utils.cli.processes.AHEAD` mattes a worker are waiting. Pictures without truth are
    only matted: their rows hold the name alone.

    Args:
        matting: `matting(image, trimap)`, the matte of a photograph uint8 (H, W, 3) and its
            trimap: uint8 (H, W), or floating point in [0, 1].
        folder: where the mattes go, as NAME.png, 8 bits.
        settings: what decides the mattes: `journal` keeps nothing of other ones.

    Raises:
        InputError: a file cannot be used, or the sizes of a picture's files differ.
    """
    sources = {p.name: [*p.files, folder / f"{p.name}.png"] for p in pictures}
    described = {**settings, **scoring.described(pictures)}
    done = Journal(journal, described, sources, scoring.resume)
    due = [picture for picture in pictures if picture.name not in done.rows]
    jobs = _Mattes(due, matting, folder, scoring.exact, scoring.region)
    return _collect(label, pictures, jobs, done, scoring.workers)


class _Job(NamedTuple):
    picture: Picture
    exact: bool
    matte: np.ndarray | None = None  # of a network; else a saved one is read
    output: Path | None = None
    region: str = "unknown"
    floor: bool = False  # score the trimap, filled by distance, instead


class _Mattes(Sequence):
    """Jobs that are made when they are asked for: the network runs no further ahead than that."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        matting: Matting,
        folder: Path,
        exact: bool,
        region: str = "unknown",
    ) -> None:
        self._pictures, self._matting, self._folder = pictures, matting, folder
        self._exact, self._region = exact, region

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> _Job:
        picture = self._pictures[index]
        image, trimap = read_image(picture.image), trimap_of(picture)
        check_same_size(picture.image, image, picture.outline, trimap)
        require_unknown(picture.outline, trimap)
        with naming(picture.image):
            matte = self._matting(image, trimap)
        if not self._exact:
            matte = to_8_bits(matte)  # a quarter of the way to the worker
        output = self._folder / f"{picture.name}.png"
        return _Job(picture, self._exact, matte, output, self._region)

    def __iter__(self) -> Iterator[_Job]:
        return (self[index] for index in range(len(self)))


def _score(job: _Job) -> dict:
    picture, matte, exact = job.picture, job.matte, job.exact
    if job.floor:
        matte = fill_by_distance(trimap_of(picture))
    elif matte is None:
        matte = read_matte(picture.matte, exact)
    row = {"name": picture.name}
    if picture.alpha:
        source = picture.matte or picture.image
        alpha = read_matte(picture.alpha, exact)
        check_same_size(source, matte, picture.alpha, alpha)
        trimap = trimap_of(picture)
        check_same_size(source, matte, picture.outline, trimap)
        if job.region != "all":
            require_unknown(picture.outline, trimap)
        require_agreement(picture.outline, trimap, picture.alpha, to_8_bits(alpha))
        if job.region == "all":
            trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
        if exact:
            row |= score_exact(to_float(matte), to_float(alpha), trimap)
        else:
            row |= score(matte, alpha, trimap)
    if job.output:
        write_image(job.output, to_8_bits(matte))
    return row


def _collect(
    label: str, pictures: Sequence[Picture], jobs: Sequence[_Job], done: Journal, workers: int
) -> list[dict]:
    """Do the jobs; the rows of all pictures in their order."""
    with progress_bar(desc=label, total=len(pictures), initial=len(done.rows), unit="image") as bar:
        for row in run(_score, jobs, workers, label):
            done.add(row)
            bar.update()
    return [done.rows[picture.name] for picture in pictures]
