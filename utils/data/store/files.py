"""The training store: decoded foregrounds and mattes, and where their edges are, memory-mapped.

Each foreground is one safetensors file, `root/train/store/NAME.safetensors`, of three arrays:

    rgba    uint8 (H, W, 4), the colours and the matte
    reach   uint8 (H, W), the smallest trimap radius at which a pixel is unknown
    counts  uint16 (256, H), how many pixels of each row have at most that radius

Its metadata name the version of this layout and content, the sources it was made from and how.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from models.files.atomic import shortened
from utils.cli.advice import dataset_command
from utils.cli.problems import tolerate
from utils.data.folders import Foreground
from utils.disk.files import record, unchanged
from utils.images.trimap import unknown_radius

# Of the layout and of what is decoded; a store of another version is made anew. 1 knew turned TIFF
# files and mattes of 0 and 1, and held them as if they were right.
VERSION = "2"
ARRAYS = ("rgba", "reach", "counts")  # the fields of `Stored` by their names in the file
RADII = 256
MOST_MAPS = 10_000  # at a time; Linux allows a process 65,530


class Stored(NamedTuple):
    """A foreground of the store; its arrays are views of the file and read-only."""

    rgba: np.ndarray
    unknown_radius: np.ndarray
    counts: np.ndarray


def stored_arrays(colour: np.ndarray, alpha: np.ndarray) -> Stored:
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
        problems = {one.name: find_fault(self._folder, one, self._cure) for one in sources}
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
            self._maps[source.name] = _map(file_of(self._folder, source), self._cure)[0]
        return self._maps[source.name]

    def identity(self, source: Foreground) -> list[str | int]:
        """What a stored foreground is: its name, the sizes of its files, how it was stored."""
        _, metadata = _map(file_of(self._folder, source), self._cure)
        sizes = [path.stat().st_size for path in (source.fg, source.alpha)]
        filled = ["filled"] if metadata.get("hidden") == "filled" else []
        return [source.name, *sizes, metadata["version"], metadata["snap"], *filled]

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


def metadata_of(source: Foreground, snap: int) -> dict[str, str]:
    """What a file tells of itself: the version, the records of its sources, how it was made."""
    records = {kind: str(record(getattr(source, kind))) for kind in ("fg", "alpha")}
    return {"version": VERSION, **records, "snap": str(snap)}


def find_fault(folder: Path, source: Foreground, cure: str, snap: int | None = None) -> str | None:
    """Why a foreground's file in the store cannot be used, if it cannot.

    Args:
        snap: to build the store with it, for which the file is to be as it would be made now.
    """
    path = file_of(folder, source)
    try:
        _, metadata = _map(path, cure)
    except InputError as error:
        return str(error)
    if snap is not None and metadata["snap"] != str(snap):
        return f"{path}: made with --snap {metadata['snap']}; {cure}"
    if snap is not None and "hidden" not in metadata:
        return f"{path}: made before hidden colours were filled; {cure}"
    if not unchanged([source.fg, source.alpha], [metadata["fg"], metadata["alpha"]]):
        return f"{path}: {source.fg} or {source.alpha} has changed since it was made; {cure}"
    return None


def made_here(path: Path) -> bool | None:
    """Whether a file is one of a store, of any version; None where that cannot be told of it."""
    try:
        header, _ = _read(path)
        return {"version", "fg", "alpha"} <= header.get("__metadata__", {}).keys()
    except (OSError, ValueError, RuntimeError):
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
