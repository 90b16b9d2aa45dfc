"""Score the pictures of a set in several processes, in bounded memory; without PyTorch."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from utils.cli.files import folder_lock
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
from utils.images.trimap import UNKNOWN, require_agreement
from utils.images.writing import write_image
from utils.metrics import score, score_exact
from utils.score.scores import FLOOR, Scores, full_label, record_settings, require_output
from utils.score.sets import Picture, Sets, trimap_of
from utils.score.sheets import write_worst

# matting(image, trimap), uint8 (H, W, 3) and (H, W): the matte, uint8 or floating point in [0, 1].
Matting = Callable[[np.ndarray, np.ndarray], np.ndarray]
FEW = 50  # pictures; fewer are scored before other processes have started


@dataclass(frozen=True)
class Scoring:
    """How a set is scored."""

    workers: int | None = 0  # processes; 0 scores in this one, None is one a core for many pictures
    exact: bool = False  # mattes in floating point as they are, not as their 8-bit files
    resume: bool = False  # keep mattes that an earlier test of the same network has left
    worst: str = "SAD"  # the metric by which the sheet of the worst pictures chooses
    region: str = "unknown"  # one of `scores.REGIONS`: over which metrics are taken

    def result(
        self,
        label: str,
        rows: list[dict],
        pictures: Sequence[Picture],
        floor: Scores,
        about: dict | None = None,
    ) -> Scores:
        """The scores of these rows, with what decides them beside the mattes."""
        described = {"region": self.region}
        if not pictures[0].trimap:
            described["trimaps"] = f"made from the truth, radius {pictures[0].radius}"
        if self.exact:
            described["float"] = True
        return Scores(label, rows, (about or {}) | described, floor)

    def write(
        self, out: Path, result: Scores, pictures: Sequence[Picture], mattes: dict[str, Path]
    ) -> None:
        """The files of the scores, and the sheet of the worst of the `mattes`, by name."""
        result.write(out)
        worst = out / f"{result.label}_worst.png"
        write_worst(worst, result, pictures, mattes, self.worst, self.region)


@dataclass(frozen=True)
class _Job:
    picture: Picture
    scoring: Scoring
    matte: np.ndarray | None = None  # of a network; else a saved one is read
    output: Path | None = None  # where it is saved
    floor: bool = False  # score the trimap, filled by distance, instead


def run_saved(
    pictures: Sequence[Picture],
    label: str,
    out: Path | None = None,
    scoring: Scoring = Scoring(),
    key: str = "",
) -> Scores:
    """Score saved mattes; `key` is the name of their trimaps in a set of several kinds.

    Writes out/LABEL.json, .csv, .md and LABEL_worst.png, if `out` is given.
    """
    if out:
        require_output(out, [label], [file for one in pictures for file in one.files])
    with folder_lock(out, "scoring") if out else nullcontext():
        rows = _rows(label, pictures, [_Job(picture, scoring) for picture in pictures], scoring)
        floor = score_floors({key: pictures}, scoring)[key]
        result = scoring.result(label, rows, pictures, floor)
        if out:
            record_settings(out, label, {"mattes": str(pictures[0].matte.parent)})
            scoring.write(out, result, pictures, {one.name: one.matte for one in pictures})
    return result


def score_floors(sets: Sets, scoring: Scoring) -> dict[str, Scores]:
    """By the name of their trimaps, the `fill_by_distance` of each set that has a truth."""
    floors = {}
    for key, pictures in sets.items():
        if pictures[0].alpha:
            label = full_label(FLOOR, key)
            jobs = [_Job(picture, scoring, floor=True) for picture in pictures]
            floors[key] = Scores(label, _rows(label, pictures, jobs, scoring))
    return floors


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
    """
    return _rows(label, pictures, _matted(pictures, matting, folder, scoring, keep), scoring)


def fill_by_distance(trimap: np.ndarray) -> np.ndarray:
    """The matte of a trimap alone: b / (b + f) where it is unknown.

    b and f are the Euclidean distances to the nearest known background and foreground; where one
    of them is nowhere, the matte is that of the other, and 1/2 where nothing is known.

    Args:
        trimap: uint8 (H, W) of 0, 128, 255.

    Returns:
        uint8 (H, W); known pixels are exactly 0 and 255.
    """
    background, foreground = (_distance(trimap, level) for level in (0, 255))
    # Known pixels are at distance 0 of their own kind, so that the ratio is theirs, too.
    if background is None or foreground is None:
        only = 128 if background is foreground else 255 if background is None else 0
        return np.where(trimap == UNKNOWN, np.uint8(only), trimap)
    return np.rint(255 * background / (background + foreground)).astype(np.uint8)


def _distance(trimap: np.ndarray, level: int) -> np.ndarray | None:
    """From each pixel to the nearest of a level, float64 (H, W); None where there is none."""
    away = (trimap != level).view(np.uint8)
    if away.all():
        return None
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Its last bits depend on where the array lies in memory; squares of distances are integers.
    return np.sqrt(np.rint(np.square(distance, dtype=np.float64)))


def _matted(
    pictures: Sequence[Picture], matting: Matting, folder: Path, scoring: Scoring, keep: bool
) -> Iterator[_Job]:
    """Jobs that are made when they are asked for: the network runs no further ahead than that."""
    for picture in pictures:
        output = folder / f"{picture.name}.png"
        if keep and output.is_file():
            made_from = picture.image.stat(), picture.outline.stat()
            if max(one.st_mtime_ns for one in made_from) <= output.stat().st_mtime_ns:
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


def _rows(
    label: str, pictures: Sequence[Picture], jobs: Iterable[_Job], scoring: Scoring
) -> list[dict]:
    """Do the jobs; the rows of all pictures in their order."""
    workers = scoring.workers
    if workers is None:
        workers = (os.cpu_count() or 1) if len(pictures) >= FEW else 0
    rows = {}
    with progress_bar(desc=label, total=len(pictures), unit="image") as bar:
        for row in run(_score, jobs, workers, label):
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
