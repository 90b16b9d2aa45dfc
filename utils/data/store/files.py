"""The training store: decoded foregrounds and mattes, and where their edges are, memory-mapped.

Each foreground is one safetensors file, `root/train/store/NAME.safetensors`, of three arrays:

    rgba    uint8 (H, W, 4), the colours and the matte
    reach   uint8 (H, W), the smallest trimap radius at which a pixel is unknown
    counts  uint16 (256, H), how many pixels of each row have at most that reach

Its metadata name the version of this layout and content, the sources it was made from and how.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from models.errors import InputError
from models.files.atomic import shortened
from utils.cli.advice import command
from utils.cli.problems import tolerate
from utils.data.folders import Foreground
from utils.disk.record import record, unchanged
from utils.disk.regular import require_regular
from utils.images.trimap import unknown_radius

# Of the layout and of what is decoded; a store of another version is made anew. 1 knew turned TIFF
# files and mattes of 0 and 1, and held them as if they were right.
VERSION = "2"
RADII = 256
LARGEST_HEADER = 1 << 16
ARRAYS = ("rgba", "reach", "counts")  # the fields of `Stored` by their names in the file
OPEN_FILES = 256  # a process may often have no more than 1024


class Stored(NamedTuple):
    """A foreground of the store; its arrays are views of the file and read-only."""

    rgba: np.ndarray
    unknown_radius: np.ndarray
    counts: np.ndarray


def describe(colour: np.ndarray, alpha: np.ndarray) -> Stored:
    """What is stored of a foreground, uint8 (H, W, 3), and its matte, uint8 (H, W)."""
    radius = unknown_radius(alpha)
    at = np.arange(len(alpha))[:, None] * RADII + radius
    rows = np.bincount(at.ravel(), minlength=at.shape[0] * RADII).reshape(-1, RADII)
    counts = np.ascontiguousarray(rows.cumsum(1).T.astype(np.uint16))
    return Stored(np.dstack([colour, alpha]), radius, counts)


class Store:
    """The store of the data set at `root`, to read from.

    Raises:
        InputError: there is none.
    """

    def __init__(self, root: Path | str) -> None:
        self._folder = store_folder(root)
        self._cure = f"run {command('pre_process.py', root)}"
        self._maps: OrderedDict[str, Stored] = OrderedDict()
        if not self._folder.is_dir():
            raise InputError(f"{self._folder}: no training store; {self._cure}")

    def __getstate__(self) -> dict:
        # Pickled for a worker, maps would become copies.
        return {**self.__dict__, "_maps": OrderedDict()}

    def usable(self, sources: Sequence[Foreground]) -> list[Foreground]:
        """Those of `sources` that are stored as they are now; the others are logged.

        Raises:
            InputError: more than 1 % of the foregrounds are not stored.
        """
        problems = {one.name: fault(self._folder, one, self._cure) for one in sources}
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
        mapped, _ = _map(file_of(self._folder, source), self._cure)
        self._maps[source.name] = mapped
        if len(self._maps) > OPEN_FILES:
            self._maps.popitem(last=False)
        return mapped

    def described(self, source: Foreground) -> list[str | int]:
        """What a stored foreground is: its name, the sizes of its files, how it was stored."""
        _, metadata = _map(file_of(self._folder, source), self._cure)
        sizes = [path.stat().st_size for path in (source.fg, source.alpha)]
        return [source.name, *sizes, metadata["version"], metadata["snap"]]

    def damaged(self, source: Foreground) -> InputError:
        """The error of a file whose arrays contradict each other, which opening it cannot see."""
        path = file_of(self._folder, source)
        return InputError(f"{path}: damaged; remove it and {self._cure}")


def store_folder(root: Path | str) -> Path:
    """Where the store of a data set is."""
    return Path(root) / "train" / "store"


def file_of(folder: Path, source: Foreground) -> Path:
    """Where the store in `folder` keeps a foreground, of a legal name also where that is long."""
    return folder / shortened(source.name, ".safetensors")


def sources_of(source: Foreground) -> dict[str, str]:
    """What a file is made from, as its metadata tell: the version, and the records of the files."""
    records = {kind: str(record(getattr(source, kind))) for kind in ("fg", "alpha")}
    return {"version": VERSION, **records}


def fault(folder: Path, source: Foreground, cure: str, snap: int | None = None) -> str | None:
    """Why a foreground's file in the store cannot be used, if it cannot, with the `snap` asked."""
    path = file_of(folder, source)
    try:
        _, metadata = _map(path, cure)
    except InputError as error:
        return str(error)
    if snap is not None and metadata["snap"] != str(snap):
        return f"{path}: made with --snap {metadata['snap']}; {cure}"
    if not unchanged([source.fg, source.alpha], [metadata["fg"], metadata["alpha"]]):
        return f"{path}: {source.fg} or {source.alpha} has changed since it was made; {cure}"
    return None


def made_here(path: Path) -> bool | None:
    """Whether a file is one of a store, of any version; None where that cannot be told of it."""
    require_regular(path)
    try:
        with path.open("rb") as file:
            return {"version", "fg", "alpha"} <= set(_header(file)[1].get("__metadata__", ()))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _header(file: IO[bytes]) -> tuple[int, dict]:
    """How long the header of a safetensors file is, and what is in it."""
    length = int.from_bytes(file.read(8), "little")
    if length > LARGEST_HEADER:
        raise ValueError("no header")
    return length, json.loads(file.read(length))


def _map(path: Path, cure: str) -> tuple[Stored, dict[str, str]]:
    """The arrays and the metadata of a file.

    Not `safetensors.safe_open`: it copies a window fifteen times slower than NumPy.
    """
    require_regular(path)
    try:
        with path.open("rb") as file:
            length, header = _header(file)
        metadata = header["__metadata__"]
        if metadata["version"] != VERSION:
            raise InputError(f"{path}: made by another version of Matting Prune; {cure}")
        content = np.asarray(np.memmap(path, np.uint8, "r", offset=8 + length))
        arrays = (_array(content, header[name]) for name in ARRAYS)
        stored = Stored(*arrays)
        size = stored.unknown_radius.shape
        if stored.rgba.shape != (*size, 4) or stored.counts.shape != (RADII, size[0]):
            raise ValueError("its arrays are of different pictures")
        return stored, metadata
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {cure}") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path}: damaged or not whole; {cure}") from None


def _array(content: np.ndarray, described: dict) -> np.ndarray:
    dtype = {"U8": np.uint8, "U16": np.uint16}[described["dtype"]]
    return content[slice(*described["data_offsets"])].view(dtype).reshape(described["shape"])
