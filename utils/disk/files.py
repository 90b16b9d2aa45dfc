"""Files on the disk: whether they have changed, and whether they can be written."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from models.errors import InputError


class Record(NamedTuple):
    """A file as it was; equal records are taken for the same content.

    Times are compared for equality, never for their order: what replaces a file may be older.
    """

    name: str
    size: int
    time: int  # of the last change, in nanoseconds

    def __str__(self) -> str:
        """The form in which it is noted."""
        return f"{self.name} {self.size} {self.time}"


def record(path: Path) -> Record | None:
    """The record of a file as it is now; None where there is none."""
    try:
        known = path.stat()
    except OSError:
        return None
    return Record(path.name, known.st_size, known.st_mtime_ns)


def unchanged(files: Sequence[Path], noted: Sequence[str]) -> bool:
    """Whether all files are there and still what was noted of them, each as `str(record(file))`."""
    now = [record(path) for path in files]
    return None not in now and [str(one) for one in now] == list(noted)


def require_target(option: str, path: Path | None, read: Iterable[Path] = ()) -> None:
    """Raise an `InputError` where a file that will be written cannot be, or is read before.

    Folders above it that are missing will be made.

    Args:
        option: that named it.
        read: files that are read, and folders all of whose files are.
    """
    if path is None:
        return
    final = Path(os.path.realpath(path))
    if final.is_dir():
        raise InputError(f"{option} {path}: is a folder; name a file")
    if final.exists() and not final.is_file():
        raise InputError(f"{option} {path}: is a pipe or a device; name a file")
    _require_writable(option, path, final.parent)
    places = {path.resolve(), path.resolve().parent} if path.exists() else ()
    if any(one.resolve() in places for one in read):
        raise InputError(f"{option} {path}: is read, too, and would be replaced; name another file")


def require_absent(path: Path) -> None:
    """Raise an `InputError` where a file is already."""
    if path.exists():
        raise InputError(f"{path}: is there already; --overwrite replaces it")


def require_folder(option: str, path: Path | None) -> None:
    """Raise an `InputError` where a folder cannot be written; a missing one will be made."""
    if path is None:
        return
    final = Path(os.path.realpath(path))
    if final.is_file():
        raise InputError(f"{option} {path}: is a file; name a folder")
    _require_writable(option, path, final)


def _require_writable(option: str, path: Path, folder: Path) -> None:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir():
        raise InputError(f"{option} {path}: {there} is no folder; name another")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise InputError(
            f"{option} {path}: {there} cannot be written ({error.strerror}); choose another folder"
        ) from None
