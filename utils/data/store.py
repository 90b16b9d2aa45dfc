"""The training store: decoded foregrounds and mattes, and where their edges are, memory-mapped.

Each foreground is one safetensors file, `root/train/store/NAME.safetensors`, of three arrays:

    rgba    uint8 (H, W, 4), the colours and the matte
    reach   uint8 (H, W), the smallest trimap radius at which a pixel is unknown
    counts  uint16 (256, H), how many pixels of each row have at most that radius

Its metadata name the version of this layout and content, the sources it was made from and how.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from safetensors.numpy import save
from scipy.ndimage import distance_transform_edt

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.files import folder_lock, record
from utils.cli.problems import dataset_command, format_bytes, refuse, tolerate
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.folders import Foreground, foregrounds
from utils.images.decode import image_size
from utils.images.reading import check_sizes, read_alpha, read_image
from utils.images.trimap import unknown_radius

log = logging.getLogger(__name__)

# Of the layout and of what is decoded; a store of another version is made anew. 1 knew turned TIFF
# files and mattes of 0 and 1, and held them as if they were right.
VERSION = "2"
ARRAYS = ("rgba", "reach", "counts")  # the fields of `Stored` by their names in the file
RADII = 256
MOST_MAPS = 10_000  # at a time; Linux allows a process 65,530
CONTINUED = 16  # levels, on average, by which hidden colours may differ from visible ones beside
WIDEST = 65535  # what a count of 16 bits can tell of a row


class Stored(NamedTuple):
    """A foreground of the store; its arrays are views of the file and read-only."""

    rgba: np.ndarray
    unknown_radius: np.ndarray
    counts: np.ndarray


class Store:
    """The store of the data set at `root`, to read from.

    Raises:
        InputError: there is none.
    """

    def __init__(self, root: Path | str) -> None:
        self._folder = store_folder(root)
        self._cure = f"run {dataset_command('pre_process.py', root)}"
        self._maps: dict[str, Stored] = {}
        if not self._folder.is_dir():
            raise InputError(f"{self._folder}: no training store; {self._cure}")

    def __getstate__(self) -> dict:
        # Pickled for a worker, maps would become copies.
        return {**self.__dict__, "_maps": {}}

    def usable(self, sources: Sequence[Foreground]) -> list[Foreground]:
        """Those of `sources` that are stored as they are now; the others are logged.

        Raises:
            InputError: more than 1 % of the foregrounds are not stored.
        """
        problems = {one.name: _fault(self._folder, one, self._cure) for one in sources}
        tolerate([problem for problem in problems.values() if problem], len(sources), "foregrounds")
        return [one for one in sources if not problems[one.name]]

    def open(self, source: Foreground) -> Stored:
        """Map a foreground; whether its sources have changed is not looked at.

        Raises:
            InputError: its file is gone, not whole, or of another version.
        """
        if source.name not in self._maps:
            if len(self._maps) >= MOST_MAPS:
                self._maps.clear()
            self._maps[source.name] = _map(_file_of(self._folder, source), self._cure)[0]
        return self._maps[source.name]

    def identity(self, source: Foreground) -> list[str | int]:
        """What a stored foreground is: its name, the sizes of its files, how it was stored."""
        _, metadata = _map(_file_of(self._folder, source), self._cure)
        sizes = [path.stat().st_size for path in (source.fg, source.alpha)]
        filled = ["filled"] if metadata.get("hidden") == "filled" else []
        return [source.name, *sizes, metadata["version"], metadata["snap"], *filled]


def build_store(root: Path | str, workers: int = 0, snap: int = 0) -> Path:
    """Decode every training foreground of `root` into its store.

    What is there, whole, of this version and made from the sources as they are now, stays. The size
    is logged before the work starts. A foreground that cannot be read is logged and left out.

    Args:
        workers: processes; 0 decodes in this one.
        snap: matte values so near to 0 or 255 are stored as these. Lossy formats and mattes made by
            networks leave solid insides at 250 to 254; those would all be unknown, however far
            they are from an edge.

    Returns:
        The folder `root/train/store`.

    Raises:
        InputError: a foreground and its matte differ in size (all such pairs are logged), more than
            1 % of the foregrounds cannot be read, the disk is full, or another process builds this
            store.
    """
    sources = foregrounds(root, "train")
    folder = store_folder(root)
    with folder_lock(folder, "building the store"):
        pixels, bad = _sizes(sources)
        readable = [one for one in sources if one.name in pixels]
        pending = [one for one in readable if _fault(folder, one, "", snap)]
        log.info(
            "%s: %d foregrounds, %s; %d to make, %s",
            *(folder, len(pixels), format_bytes(_bytes(pixels.values()))),
            *(len(pending), format_bytes(_bytes(pixels[one.name] for one in pending))),
        )
        jobs = [(folder, one, snap) for one in pending]
        done = run(_store, jobs, workers, folder)
        bar = progress_bar(done, "store", len(jobs), unit="foreground", disable=not jobs)
        bad += [problem for problem in bar if problem]
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


def stored_arrays(colour: np.ndarray, alpha: np.ndarray) -> Stored:
    """What is stored of a foreground, uint8 (H, W, 3), and its matte, uint8 (H, W)."""
    radius = unknown_radius(alpha)
    at = np.arange(len(alpha))[:, None] * RADII + radius
    rows = np.bincount(at.ravel(), minlength=at.shape[0] * RADII).reshape(-1, RADII)
    counts = np.ascontiguousarray(rows.cumsum(1).T.astype(np.uint16))
    return Stored(np.dstack([colour, alpha]), radius, counts)


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
        records = _records(source)  # before it is read, so that a change is noticed
        colour, alpha = read_image(source.fg), read_alpha(source.alpha)
    except InputError as error:
        return str(error)
    alpha = snap_alpha(alpha, snap)
    filled = fill_hidden(colour, alpha)
    hidden = "kept" if filled is colour else "filled"
    metadata = {"version": VERSION, **records, "snap": str(snap), "hidden": hidden}
    stored = dict(zip(ARRAYS, stored_arrays(filled, alpha), strict=True))
    with atomic(_file_of(folder, source)) as temporary:
        temporary.write_bytes(save(stored, metadata))
    return None


def store_folder(root: Path | str) -> Path:
    return Path(root) / "train" / "store"


def _file_of(folder: Path, source: Foreground) -> Path:
    return folder / f"{source.name}.safetensors"


def _records(source: Foreground) -> dict[str, str]:
    return {kind: str(record(getattr(source, kind))) for kind in ("fg", "alpha")}


def _fault(folder: Path, source: Foreground, cure: str, snap: int | None = None) -> str | None:
    """Why a foreground's file in the store cannot be used, if it cannot.

    Args:
        snap: to build the store with it, for which the file is to be as it would be made now.
    """
    path = _file_of(folder, source)
    try:
        _, metadata = _map(path, cure)
    except InputError as error:
        return str(error)
    if snap is not None and (metadata["snap"] != str(snap) or "hidden" not in metadata):
        return f"{path}: made otherwise"
    if not _records(source).items() <= metadata.items():
        return f"{path}: {source.fg} or {source.alpha} has changed since it was made; {cure}"
    return None


def _map(path: Path, cure: str) -> tuple[Stored, dict[str, str]]:
    """The arrays and the metadata of a file."""
    try:
        header, content = _read(path)
        metadata = header["__metadata__"]
        if metadata["version"] != VERSION:
            raise InputError(f"{path}: made by another version of Matting Prune; {cure}")
        stored = Stored(*(_array(content, header[name]) for name in ARRAYS))
        size = stored.unknown_radius.shape
        if stored.rgba.shape != (*size, 4) or stored.counts.shape != (RADII, size[0]):
            raise ValueError("its arrays are of different pictures")
        return stored, metadata
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {cure}") from None
    except RuntimeError as error:  # of the system, which lacks files or memory
        said = str(error).splitlines()[0]
        raise InputError(
            f"{path}: cannot be mapped; free memory, or raise ulimit -n ({said})"
        ) from error
    except (OSError, ValueError, LookupError, TypeError):
        raise InputError(f"{path}: damaged or not whole; {cure}") from None


def _read(path: Path) -> tuple[dict, np.ndarray]:
    """The header of a safetensors file, and the bytes after it, mapped into memory.

    Not `safetensors.safe_open`, which copies a window fifteen times slower than NumPy. Not
    `np.memmap` either: each such map holds a file open, of which a process may have few.
    """
    size = path.stat().st_size
    import torch  # here, since each process that prepares data would import it

    content = torch.from_file(str(path), size=size, dtype=torch.uint8).numpy()
    content.flags.writeable = False
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    return json.loads(content[8:start].tobytes()), content[start:]


def _array(content: np.ndarray, described: dict) -> np.ndarray:
    dtype = {"U8": np.uint8, "U16": np.uint16}[described["dtype"]]
    return content[slice(*described["data_offsets"])].view(dtype).reshape(described["shape"])
