"""The colours of foregrounds: those that a cut-out hides, those of a photograph and its matte."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.images.foreground import estimate_foreground, require_pymatting
from utils.images.reading import read_alpha, read_cutout, read_image
from utils.images.writing import write_image

log = logging.getLogger(__name__)

# Most programs keep colour times alpha in 8 bits: divided by a smaller alpha, the rounding of half
# a level has become more than 8.
TRUSTED = 16
FAR = 8  # pixels from what is visible, where no program smears colours to hide seams
TEXTURE = 1.0  # levels between neighbours, on average; smooth fillings have less


def split_cutouts(files: Mapping[str, Path], fg: Path, alpha: Path, workers: int) -> list[str]:
    """Make the colours and the matte of each cut-out, NAME.png in the folders `fg` and `alpha`.

    Args:
        files: cut-outs by name.

    Returns:
        What is wrong with files, of which nothing is made; what is odd about others is logged.

    Raises:
        InputError: pymatting is not installed; the disk is full.
    """
    require_pymatting("--kind cutouts")
    jobs = [(file, fg / f"{name}.png", alpha / f"{name}.png") for name, file in files.items()]
    faults: list[str] = []
    done = run(_split, jobs, workers, "the import")
    for fault, warning in progress_bar(done, "colours", len(jobs), unit="image"):
        faults += [fault] if fault else []
        if warning:
            log.warning("%s", warning)
    return sorted(faults)


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

    known = alpha >= min(TRUSTED, int(alpha.max()))  # stored colours are the foreground's
    if known.all():
        return rgb
    filled = estimate_foreground_ml(rgb.astype(np.float32) / 255, known.astype(np.float32))
    stored = rgb.astype(np.float32)
    with np.errstate(divide="ignore"):
        slack = np.where(known, 0, 127.5 / alpha.astype(np.float32))[..., None]
    lowest, highest = np.ceil(stored - slack), np.floor(stored + slack)
    return np.rint(filled * 255).clip(lowest, highest).clip(0, 255).astype(np.uint8)


def colour_warning(rgb: np.ndarray, alpha: np.ndarray) -> str | None:
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


def _split(job: tuple[Path, Path, Path]) -> tuple[str | None, str | None]:
    """Make both of a cut-out, unless something is wrong with it; that, and what is odd."""
    file, fg, matte = job
    try:
        rgb, alpha = read_cutout(file)
    except InputError as error:
        return str(error), None
    if alpha is None:
        return f"{file} has no alpha channel", None
    if not np.ptp(alpha):
        return f"the alpha of {file} is {alpha[0, 0]} everywhere", None
    write_image(fg, hidden_colours(rgb, alpha))
    write_image(matte, alpha)
    odd = colour_warning(rgb, alpha)
    return None, odd and f"{file}: {odd}"


def foreground_colours(
    images: Mapping[str, Path], mattes: Mapping[str, Path], folder: Path, workers: int
) -> dict[str, Path]:
    """Estimate the foreground of each photograph, as PNG in `folder`; {name: file}.

    What an earlier call left there of the same two files is taken as it is.

    Args:
        images: photographs by name, whose mattes have the same names and sizes.

    Raises:
        InputError: pymatting is not installed; a file cannot be read or written.
    """
    require_pymatting("--kind natural")
    jobs = [(images[name], mattes[name], folder) for name in images]
    done = run(_estimate, jobs, workers, "the import")
    made = dict(progress_bar(done, "colours", len(jobs), unit="image"))
    return {name: made[image] for name, image in images.items()}


def _estimate(job: tuple[Path, Path, Path]) -> tuple[Path, Path]:
    """Of a photograph, its matte and the folder: the photograph, and the file of its foreground."""
    image, matte, folder = job
    content = hashlib.sha256(image.read_bytes() + matte.read_bytes()).hexdigest()
    file = folder / f"{content}.png"
    if not file.exists():
        write_image(file, estimate_foreground(read_image(image), read_alpha(matte)))
    return image, file
