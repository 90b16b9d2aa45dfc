"""The training store: decoded foregrounds and mattes, and where their edges are, memory-mapped.

Each foreground is one safetensors file, `root/train/store/NAME.safetensors`, of three arrays:

    rgba    uint8 (H, W, 4), the colours and the matte
    reach   uint8 (H, W), the smallest trimap radius at which a pixel is unknown
    counts  uint16 (256, H), how many pixels of each row have at most that reach

Its metadata name the version of this layout and the sources it was made from.
"""

import json
import logging
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save
from tqdm import tqdm

from models.atomic import atomic
from models.errors import InputError
from utils.data.failures import tolerate
from utils.data.images import check_sizes, image_size, read_alpha, read_image
from utils.data.jobs import run
from utils.data.pairs import Foreground, foregrounds
from utils.data.trimap import reach

log = logging.getLogger(__name__)

VERSION = "1"  # of the layout; a store of another version is made anew
RADII = 256
LARGEST_HEADER = 1 << 16
OPEN_FILES = 256  # a process may often have no more than 1024


class Stored(NamedTuple):
    """A foreground of the store; its arrays are views of the file and read-only."""

    rgba: np.ndarray
    reach: np.ndarray
    counts: np.ndarray


def describe(colour: np.ndarray, alpha: np.ndarray) -> Stored:
    """What is stored of a foreground, uint8 (H, W, 3), and its matte, uint8 (H, W)."""
    distance = reach(alpha)
    at = np.arange(len(alpha))[:, None] * RADII + distance
    rows = np.bincount(at.ravel(), minlength=at.shape[0] * RADII).reshape(-1, RADII)
    counts = np.ascontiguousarray(rows.cumsum(1).T.astype(np.uint16))
    return Stored(np.dstack([colour, alpha]), distance, counts)


def build_store(root: Path | str, workers: int = 0) -> Path:
    """Decode every training foreground of `root` into its store.

    What is there, whole, of this version and made from the sources as they are now, stays; what
    belongs to no foreground is removed. The size is logged before the work starts. A foreground
    that cannot be read is logged and left out.

    Args:
        workers: processes; 0 decodes in this one.

    Returns:
        The folder `root/train/store`.

    Raises:
        InputError: a foreground and its matte differ in size (all such pairs are logged), more than
            1 % of the foregrounds cannot be read, or the disk is too small.
    """
    sources = foregrounds(root, "train")
    folder = store_folder(root)
    pixels, bad = _sizes(sources)
    due = [one for one in sources if one.name in pixels and _problem(folder, one, "")]
    for path in folder.glob("*"):
        if path.stem not in pixels:
            path.unlink()
    _announce(folder, pixels, due)
    jobs = [(folder, one) for one in due]
    with tqdm(total=len(jobs), desc="store", unit="foreground", disable=not jobs) as progress:
        for problem in run(_store, jobs, workers, folder):
            progress.update()
            bad += [problem] if problem else []
    tolerate(bad, len(sources), "foregrounds")
    return folder


def store_folder(root: Path | str) -> Path:
    return Path(root) / "train" / "store"


class Store:
    """The store of the data set at `root`, to read from.

    Raises:
        InputError: there is none.
    """

    def __init__(self, root: Path | str) -> None:
        self._folder = store_folder(root)
        self._cure = f"run python pre_process.py --dataset {Path(root).name}"
        self._maps: OrderedDict[str, Stored] = OrderedDict()
        if not self._folder.is_dir():
            raise InputError(f"{self._folder}: no training store; {self._cure}")

    def usable(self, sources: Sequence[Foreground]) -> list[Foreground]:
        """Those of `sources` that are stored as they are now; the others are logged.

        Raises:
            InputError: more than 1 % of the foregrounds are not stored.
        """
        problems = {one.name: _problem(self._folder, one, self._cure) for one in sources}
        tolerate([problem for problem in problems.values() if problem], len(sources), "foregrounds")
        return [one for one in sources if not problems[one.name]]

    def open(self, source: Foreground) -> Stored:
        """Map a foreground; whether its sources have changed is not looked at.

        Raises:
            InputError: its file is gone, not whole, or of another version.
        """
        if source.name in self._maps:
            self._maps.move_to_end(source.name)
            return self._maps[source.name]
        mapped, _ = _map(_path(self._folder, source), self._cure)
        self._maps[source.name] = mapped
        if len(self._maps) > OPEN_FILES:
            self._maps.popitem(last=False)
        return mapped


def _path(folder: Path, source: Foreground) -> Path:
    return folder / f"{source.name}.safetensors"


def _metadata(source: Foreground) -> dict[str, str]:
    stats = {kind: getattr(source, kind).stat() for kind in ("fg", "alpha")}
    sources = {kind: f"{one.st_size} {one.st_mtime_ns}" for kind, one in stats.items()}
    return {"version": VERSION, **sources}


def _sizes(sources: list[Foreground]) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """The (height, width) of each readable foreground, and what is wrong with the others."""
    sizes, bad, wrong = {}, [], []
    for one in sources:
        try:
            sizes[one.name] = image_size(one.fg)
            other = image_size(one.alpha)
        except InputError as error:
            sizes.pop(one.name, None)
            bad.append(str(error))
            continue
        try:
            check_sizes(one.fg, sizes[one.name], one.alpha, other)
        except InputError as error:
            wrong.append(str(error))
    for problem in wrong:
        log.error(problem)
    if wrong:
        more = f" (and {len(wrong) - 1} more pairs)" if len(wrong) > 1 else ""
        raise InputError(f"{wrong[0]}{more}")
    return sizes, bad


def _announce(folder: Path, sizes: dict[str, tuple[int, int]], due: list[Foreground]) -> None:
    def gigabytes(names: Sequence[str]) -> float:
        return sum(_bytes(*sizes[name]) for name in names) / 1e9

    needed = gigabytes([one.name for one in due])
    log.info(
        "%s: %d foregrounds, %.2f GB; %d to make, %.2f GB",
        *(folder, len(sizes), gigabytes(list(sizes)), len(due), needed),
    )
    existing = next(parent for parent in folder.parents if parent.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if needed > free:
        raise InputError(
            f"{folder}: needs {needed:.2f} GB, but {free:.2f} GB are free; "
            "make room, or put the data set on another disk (--data-root)"
        )


def _bytes(height: int, width: int) -> int:
    return 5 * height * width + 2 * RADII * height


def _store(job: tuple[Path, Foreground]) -> str | None:
    """Store one foreground; returns what is wrong with it."""
    folder, source = job
    metadata = _metadata(source)  # before it is read, so that a later change is noticed
    try:
        colour, alpha = read_image(source.fg), read_alpha(source.alpha)
    except InputError as error:
        return str(error)
    with atomic(_path(folder, source)) as temporary:
        temporary.write_bytes(save(describe(colour, alpha)._asdict(), metadata))
    return None


def _problem(folder: Path, source: Foreground, cure: str) -> str | None:
    """Why a foreground's file in the store cannot be used, if it cannot."""
    path = _path(folder, source)
    try:
        _, metadata = _map(path, cure)
    except InputError as error:
        return str(error)
    if metadata != _metadata(source):
        return f"{path}: {source.fg} or {source.alpha} has changed since it was made; {cure}"
    return None


def _map(path: Path, cure: str) -> tuple[Stored, dict[str, str]]:
    """The arrays and the metadata of a file.

    Not `safetensors.safe_open`: it copies a window fifteen times slower than NumPy.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > LARGEST_HEADER:
                raise ValueError("no header")
            header = json.loads(file.read(length))
        metadata = header["__metadata__"]
        if metadata["version"] != VERSION:
            raise InputError(f"{path}: made by another version of Matting Prune; {cure}")
        content = np.asarray(np.memmap(path, np.uint8, "r", offset=8 + length))
        arrays = (_array(content, header[name]) for name in Stored._fields)
        return Stored(*arrays), metadata
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {cure}") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: damaged or not whole; {cure}") from None


def _array(content: np.ndarray, described: dict) -> np.ndarray:
    dtype = {"U8": np.uint8, "U16": np.uint16}[described["dtype"]]
    return content[slice(*described["data_offsets"])].view(dtype).reshape(described["shape"])
