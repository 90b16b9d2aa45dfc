"""Can it be written there? Asked before the work, of every file and folder that an option names."""

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from models.errors import InputError
from utils.disk.regular import require_regular


def require_target(option: str, path: Path | None, read: Iterable[Path] = ()) -> None:
    """Raise an `InputError` where a file that will be written cannot be, or is read before.

    Folders above it that are missing will be made.

    Args:
        option: that named it.
        read: files that are read, and folders all of whose files are.
    """
    if path is None:
        return
    final = _final(option, path)
    if final.is_dir():
        raise InputError(f"{option} {path}: is a folder; name a file")
    require_regular(path)
    _require_writable(option, path, final.parent)
    places = {path.resolve(), path.resolve().parent} if path.exists() else ()
    if any(one.resolve() in places for one in read):
        raise InputError(f"{option} {path}: is read, too, and would be replaced; name another file")


def require_folder(option: str, path: Path | None) -> None:
    """Raise an `InputError` where a folder cannot be written; a missing one will be made."""
    if path is None:
        return
    final = _final(option, path)
    if final.is_file():
        raise InputError(f"{option} {path}: is a file; name a folder")
    _require_writable(option, path, final)


def _final(option: str, path: Path) -> Path:
    """What a path stands for, where it is a link."""
    final = Path(os.path.realpath(path))
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            final.lstat()
    except OSError as error:
        raise InputError(f"{option} {path}: {error.strerror}; choose another path") from None
    return final


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
