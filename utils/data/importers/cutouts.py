"""RGBA cut-outs become a foreground and a matte: the colours that their transparency hides."""

import importlib.util
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from models.errors import InputError
from utils.cli.problems import refuse
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.importers.placing import CURE, by_name, require_own, taken
from utils.data.importers.request import Request
from utils.data.importers.unfinished import begin
from utils.disk.room import MATTE, PHOTOGRAPH, require_room
from utils.images.reading import read_alpha, read_cutout, read_image
from utils.images.writing import write_image

log = logging.getLogger(__name__)

# Most programs keep colour times alpha in 8 bits: divided by a smaller alpha, the rounding of half
# a level has become more than 8.
TRUSTED = 16
FAR = 8  # pixels from what is visible, where no program smears colours to hide seams
TEXTURE = 1.0  # levels between neighbours, on average; smooth fillings have less


def put_cutouts(files: Mapping[str, Path], request: Request) -> tuple[int, int]:
    """Write `fg/NAME.png` and `alpha/NAME.png` of each cut-out, dated as it is.

    Those that are there, of the same matte and the same visible colours, stay.

    Args:
        files: cut-outs by name.

    Returns:
        How many were written, and how many were there.

    Raises:
        InputError: files without an alpha channel that varies, all of them; another picture of
            that name is there; pymatting is not installed; the disk has no room.
    """
    if importlib.util.find_spec("pymatting") is None:
        raise InputError(f"{request.source}: cut-outs need pymatting; run pip install pymatting")
    source, base, folder = request.source, request.folder, request.root / request.part
    jobs = [_Cutout(name, path, folder, base) for name, path in files.items()]
    _require_free_names(jobs, source)
    seen: dict[str, _Look] = {}
    with progress_bar(total=len(jobs), desc="reading", unit="image") as bar:
        for name, look in run(_look, jobs, request.workers, folder):
            seen[name] = look
            bar.update()
    refuse([seen[job.name].fault for job in jobs if seen[job.name].fault], source, CURE)
    for job in jobs:
        if seen[job.name].warning:
            log.warning("%s: %s", job.file.relative_to(base), seen[job.name].warning)
    due = [job for job in jobs if not seen[job.name].done]
    needed = sum(seen[job.name].pixels for job in due) * (PHOTOGRAPH[".png"] + MATTE)
    require_room(folder, needed, source=source)
    if due:
        coming = {target: job.file for job in due for target in job.missing()}
        begin(request.root, source, coming, made=True)
    with progress_bar(total=len(due), desc="colours", unit="image", disable=not due) as bar:
        for _ in run(_write, due, request.workers, folder):
            bar.update()
    return len(due), len(jobs) - len(due)


def hidden_colours(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colours of a cut-out also where its transparency hides them or makes them noise.

    A cut-out stores the colour of the foreground itself (straight alpha). So where alpha is at
    least 16 it stays, exactly. Elsewhere pymatting's multilevel estimator continues the colours
    that are known; of a visible pixel the colour changes only so far that over black it stays
    within half a level of what was stored.

    The estimator gets *what is known* as its matte, not alpha: given alpha it would take the
    stored colours for a mixture with a background, and unmix what is not mixed.

    Args:
        rgb: uint8 (H, W, 3), the stored colours.
        alpha: uint8 (H, W), not 0 everywhere.

    Returns:
        uint8 (H, W, 3).
    """
    from pymatting import estimate_foreground_ml

    known = _known(alpha)
    if known.all():
        return rgb
    filled = estimate_foreground_ml(rgb.astype(np.float32) / 255, known.astype(np.float32))
    stored = rgb.astype(np.float32)
    with np.errstate(divide="ignore"):
        slack = np.where(known, 0, 127.5 / alpha.astype(np.float32))[..., None]
    lowest, highest = np.ceil(stored - slack), np.floor(stored + slack)
    return np.rint(filled * 255).clip(lowest, highest).clip(0, 255).astype(np.uint8)


def _known(alpha: np.ndarray) -> np.ndarray:
    """Where the stored colours are those of the foreground."""
    return alpha >= min(TRUSTED, int(alpha.max()))


def suspicion(rgb: np.ndarray, alpha: np.ndarray) -> str | None:
    """Why the stored colours are perhaps not those of the foreground alone; None if they may be.

    Args:
        rgb: uint8 (H, W, 3).
        alpha: uint8 (H, W).
    """
    soft = (alpha > 0) & (alpha < 255)
    brightest = rgb.max(axis=2)
    # Straight colours of a foreground that is not black are brighter than a small alpha somewhere.
    enough = np.count_nonzero(soft) >= 64 and brightest[soft].max() > 64
    if enough and np.all(brightest[soft] <= alpha[soft].astype(np.int16) + 1):
        return (
            "no soft pixel is brighter than its alpha, so its colours seem to be multiplied by "
            "alpha already; save it with straight (unassociated) alpha"
        )
    far = cv2.distanceTransform((alpha == 0).astype(np.uint8), cv2.DIST_L2, 3) >= FAR
    steps = np.abs(np.diff(rgb.astype(np.int16), axis=1)).mean(axis=2)
    behind = steps[far[:, 1:] & far[:, :-1]]
    if behind.size >= 0.01 * alpha.size and behind.mean() > TEXTURE:
        return (
            "a picture is left where it is transparent; if that is the background it was "
            "photographed before, the colours of its edge are mixed with it and train a network "
            "wrong (see data/README.md, one's own foregrounds)"
        )
    return None


class _Cutout(NamedTuple):
    name: str
    file: Path
    folder: Path
    base: Path

    def target(self, kind: str) -> Path:
        return self.folder / kind / f"{self.name}.png"

    def missing(self) -> list[Path]:
        return [path for path in map(self.target, ("fg", "alpha")) if not path.exists()]


class _Look(NamedTuple):
    """What a first look at a cut-out shows: why it cannot be used, what is odd, is it done?"""

    fault: str | None = None
    warning: str | None = None
    done: bool = False
    pixels: int = 0


def _require_free_names(jobs: list[_Cutout], source: Path) -> None:
    faults = []
    for kind in ("fg", "alpha"):
        require_own(jobs[0].folder / kind, source)
        there = by_name(jobs[0].folder / kind)
        for job in jobs:
            target = job.target(kind)
            other = taken(target, there)
            if other is not None:
                where = job.file.relative_to(job.base)
                faults.append(f"{where} would be {target}, but {other} is there")
    refuse(faults, source, CURE)


def _look(job: _Cutout) -> tuple[str, _Look]:
    return job.name, _found(job)


def _found(job: _Cutout) -> _Look:
    where = job.file.relative_to(job.base)
    try:
        rgb, alpha = read_cutout(job.file)
    except InputError as error:
        return _Look(str(error).replace(f"{job.base}{os.sep}", ""))
    if alpha is None:
        return _Look(f"{where} has no alpha channel")
    if not np.ptp(alpha):
        return _Look(f"the alpha of {where} is {alpha[0, 0]} everywhere")
    fg, matte = job.target("fg"), job.target("alpha")
    if matte.exists() and not np.array_equal(read_alpha(matte), alpha):
        return _Look(f"{where} would be {matte}, but that is another matte")
    if fg.exists():
        there, known = read_image(fg), _known(alpha)
        if there.shape != rgb.shape or np.any(there[known] != rgb[known]):
            return _Look(f"{where} would be {fg}, but that has other colours")
    done = matte.exists() and fg.exists()
    return _Look(warning=suspicion(rgb, alpha), done=done, pixels=alpha.size)


def _write(job: _Cutout) -> None:
    rgb, alpha = read_cutout(job.file)
    for path in job.missing():
        picture = alpha if path == job.target("alpha") else hidden_colours(rgb, alpha)
        write_image(path, picture, time=job.file.stat().st_mtime_ns)
