"""Build the training store: in several processes, resumed, checked against its sources."""

import logging
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import save
from scipy.ndimage import distance_transform_edt

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.problems import refuse, tolerate
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.folders import Foreground, foregrounds
from utils.data.store.files import (
    ARRAYS,
    RADII,
    file_of,
    find_fault,
    made_here,
    metadata_of,
    store_folder,
    stored_arrays,
)
from utils.disk.lock import folder_lock
from utils.disk.room import format_bytes, require_room
from utils.images.reading import check_sizes, image_size, read_alpha, read_image

log = logging.getLogger(__name__)

CONTINUED = 16  # levels, on average, by which hidden colours may differ from visible ones beside
WIDEST = 65535  # what a count of 16 bits can tell of a row


def build_store(root: Path | str, workers: int = 0, snap: int = 0) -> Path:
    """Decode every training foreground of `root` into its store.

    What is there, whole, of this version and made from the sources as they are now, stays; what
    was made of other foregrounds is removed, what was not made here stays. The size is logged
    before the work starts. A foreground that cannot be read is logged and left out.

    Args:
        workers: processes; 0 decodes in this one.
        snap: matte values so near to 0 or 255 are stored as these. Lossy formats and mattes made by
            networks leave solid insides at 250 to 254; those would all be unknown, however far
            they are from an edge.

    Returns:
        The folder `root/train/store`.

    Raises:
        InputError: a foreground and its matte differ in size (all such pairs are logged), more than
            1 % of the foregrounds cannot be read, the disk is too small, a file that was not made
            here is in the way, or another process builds this store.
    """
    sources = foregrounds(root, "train")
    folder = store_folder(root)
    with folder_lock(folder, "building the store"):
        pixels, bad = _sizes(sources)
        readable = [one for one in sources if one.name in pixels]
        pending = [one for one in readable if find_fault(folder, one, "", snap)]
        _make_way(folder, readable, pending)
        needed = _bytes(pixels[one.name] for one in pending)
        log.info(
            "%s: %d foregrounds, %s; %d to make, %s",
            *(folder, len(pixels), format_bytes(_bytes(pixels.values()))),
            *(len(pending), format_bytes(needed)),
        )
        require_room(folder, needed, instead="put the data set on another disk (--data-root)")
        jobs = [(folder, one, snap) for one in pending]
        with progress_bar(total=len(jobs), desc="store", unit="foreground", disable=not jobs) as b:
            for problem in run(_store, jobs, workers, folder):
                b.update()
                bad += [problem] if problem else []
        tolerate(bad, len(sources), "foregrounds")
    return folder


def snap_alpha(alpha: np.ndarray, by: int) -> np.ndarray:
    """A matte, uint8 (H, W), whose values within `by` of 0 or 255 are exactly these."""
    levels = np.arange(256)
    levels[levels <= by], levels[levels >= 255 - by] = 0, 255
    return cv2.LUT(alpha, levels.astype(np.uint8)) if by else alpha


def fill_hidden(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colours of a foreground; where alpha is 0 those of the nearest visible pixels.

    A resampled sample mixes the colours of neighbours, whatever their alpha. So what is left where
    alpha is 0, black or a photograph, would shine through at edges. Where the stored colours
    continue the visible ones, as those of a renderer or of `hidden_colours` do, they stay.

    Args:
        colour: uint8 (H, W, 3).
        alpha: uint8 (H, W).

    Returns:
        uint8 (H, W, 3); `colour` itself where nothing had to be filled.
    """
    hidden = alpha == 0
    visible = (~hidden).astype(np.float32)
    weight = cv2.blur(visible, (3, 3))
    edge = hidden & (weight > 1e-3)
    if not edge.any():
        return colour
    around = cv2.blur(colour * visible[..., None], (3, 3))[edge] / weight[edge, None]
    if np.abs(colour[edge] - around).mean() <= CONTINUED:
        return colour
    nearest = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return colour[tuple(nearest)]


def _make_way(folder: Path, kept: list[Foreground], pending: list[Foreground]) -> None:
    """Remove what we made and nobody needs; refuse where a file of others is in the way."""
    others = [
        path for path in (file_of(folder, one) for one in pending) if made_here(path) is False
    ]
    refuse([f"{path}: was not made here; move it to another folder" for path in others])
    names = {file_of(folder, one).name for one in kept}
    for path in folder.glob("*.safetensors"):
        left = path.name.startswith(".")  # half a file, by a build that was killed
        if path.name not in names and (left or made_here(path)):
            path.unlink()


def _sizes(sources: list[Foreground]) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """The (height, width) of each readable foreground, and what is wrong with the others."""
    sizes, bad, wrong = {}, [], []
    for one in sources:
        try:
            size, other = image_size(one.fg), image_size(one.alpha)
        except InputError as error:
            bad.append(str(error))
            continue
        if size[1] > WIDEST:
            bad.append(f"{one.fg}: wider than {WIDEST} pixels; make it smaller")
            continue
        try:
            check_sizes(one.fg, size, one.alpha, other)
        except InputError as error:
            wrong.append(str(error))
        sizes[one.name] = size
    refuse(wrong)
    return sizes, bad


def _bytes(sizes: Iterable[tuple[int, int]]) -> int:
    return sum(5 * height * width + 2 * RADII * height for height, width in sizes)


def _store(job: tuple[Path, Foreground, int]) -> str | None:
    """Store one foreground; returns what is wrong with it."""
    folder, source, snap = job
    try:
        metadata = metadata_of(source, snap)  # before it is read, so that a change is noticed
        colour, alpha = read_image(source.fg), read_alpha(source.alpha)
    except InputError as error:
        return str(error)
    alpha = snap_alpha(alpha, snap)
    filled = fill_hidden(colour, alpha)
    metadata["hidden"] = "kept" if filled is colour else "filled"
    stored = stored_arrays(filled, alpha)
    with atomic(file_of(folder, source)) as temporary:
        temporary.write_bytes(save(dict(zip(ARRAYS, stored, strict=True)), metadata))
    return None
