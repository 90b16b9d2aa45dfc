"""RGBA cut-outs become a foreground and a matte: the colours that their transparency hides."""

import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.importers.placing import Request, pictures_there
from utils.disk.room import MATTE, PHOTOGRAPH, require_room
from utils.images.reading import read_alpha, read_cutout, read_image
from utils.images.writing import write_image

log = logging.getLogger(__name__)

# Most programs keep colour times alpha in 8 bits: divided by a smaller alpha, the rounding of half
# a level has become more than 8.
TRUSTED = 16
FAR = 8  # pixels from what is visible, where no program smears colours to hide seams
TEXTURE = 1.0  # levels between neighbours, on average; smooth fillings have less


def put_cutouts(files: Mapping[str, Path], request: Request) -> int:
    """Write `fg/NAME.png` and `alpha/NAME.png` of each cut-out, dated as it is.

    Those that are there, of the same matte and the same visible colours, stay.

    Args:
        files: cut-outs by name.

    Returns:
        How many files were written.

    Raises:
        InputError: files without an alpha channel that varies, all of them; another picture of
            that name is there; pymatting is not installed; the disk has no room.
    """
    source = request.source
    if importlib.util.find_spec("pymatting") is None:
        raise InputError(f"{source}: cut-outs need pymatting; run pip install pymatting")
    there = {kind: pictures_there(request, f"{request.part}/{kind}") for kind in ("fg", "alpha")}
    jobs = [
        _Cutout(file, there["fg"].get(name), there["alpha"].get(name), request, name)
        for name, file in files.items()
    ]
    faults: list[str] = []
    pending: list[_Cutout] = []
    pixels = 0
    with progress_bar(total=len(jobs), desc="reading", unit="image") as bar:
        for job, fault, warning, size in run(_check, jobs, request.workers, request.root):
            faults += [fault] if fault else []
            if warning:
                log.warning("%s: %s", job.file.relative_to(request.folder), warning)
            if not (job.fg and job.alpha):
                pending.append(job)
                pixels += size
            bar.update()
    request.refuse(sorted(faults))
    require_room(request.root, pixels * (PHOTOGRAPH[".png"] + MATTE), source=source)
    with progress_bar(total=len(pending), desc="colours", unit="image", disable=not pending) as bar:
        for _ in run(_write, pending, request.workers, request.root):
            bar.update()
    return sum((job.fg is None) + (job.alpha is None) for job in pending)


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
    file: Path
    fg: Path | None  # those of its name that are there
    alpha: Path | None
    request: Request
    name: str


def _check(job: _Cutout) -> tuple[_Cutout, str | None, str | None, int]:
    """Why a cut-out cannot be used, what is odd about it, and how many pixels it has."""
    where = job.file
    try:
        rgb, alpha = read_cutout(job.file)
    except InputError as error:
        return job, str(error), None, 0
    others = [one for one in (job.fg, job.alpha) if one and one.suffix != ".png"]
    fault = None
    if others:
        fault = f"{where} would be {job.name}.png, but {others[0]} is there"
    elif alpha is None:
        fault = f"{where} has no alpha channel"
    elif not np.ptp(alpha):
        fault = f"the alpha of {where} is {alpha[0, 0]} everywhere"
    elif job.alpha and not np.array_equal(read_alpha(job.alpha), alpha):
        fault = f"{where} would be {job.alpha}, but that is another matte"
    elif job.fg and not _shows(job.fg, rgb, _known(alpha)):
        fault = f"{where} would be {job.fg}, but that has other colours"
    if fault:
        return job, fault, None, 0
    return job, None, suspicion(rgb, alpha), alpha.size


def _shows(path: Path, rgb: np.ndarray, known: np.ndarray) -> bool:
    there = read_image(path)
    return there.shape == rgb.shape and np.array_equal(there[known], rgb[known])


def _write(job: _Cutout) -> None:
    rgb, alpha = read_cutout(job.file)
    folder, time = job.request.staging / job.request.part, job.file.stat().st_mtime_ns
    if job.fg is None:
        write_image(folder / "fg" / f"{job.name}.png", hidden_colours(rgb, alpha), time=time)
    if job.alpha is None:
        write_image(folder / "alpha" / f"{job.name}.png", alpha, time=time)
