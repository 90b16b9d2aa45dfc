"""Files and folders: has a file changed, can it be written, is somebody else writing here?"""

import errno
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from models.errors import InputError

log = logging.getLogger(__name__)

NAME = ".matting-prune.lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of some disks in a network


def record(path: Path) -> str | None:
    """`NAME SIZE TIME` of a file as it is now, by which it is known again; None without one.

    Times are compared for equality, never for their order: what replaces a file may be older.
    """
    try:
        known = path.stat()
    except OSError:
        return None
    return f"{path.name} {known.st_size} {known.st_mtime_ns}"


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


@contextmanager
def folder_lock(
    folder: Path | str, doing: str, name: str = NAME, wait: bool = False
) -> Iterator[None]:
    """Inside, no other process is inside for the same folder, on this machine or another.

    Locks the hidden file `name` in it, which the system releases also when the process dies.
    Folders that are not there yet are made, and removed again if nothing comes into them.

    Args:
        doing: what is done inside, for the process that is refused: "scoring".
        wait: until nobody else is inside, instead of being refused.

    Raises:
        InputError: another process is inside, or the folder cannot be written.
    """
    folder = Path(folder)
    missing = [path for path in (folder, *folder.parents) if not os.path.exists(path)]  # noqa: PTH110
    lock, file = FileLock(folder / name, poll_interval=0.2), folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=wait)
    except Timeout:
        with suppress(OSError):
            doing = file.read_text(encoding="utf-8")
        raise InputError(f"{folder}: another process is {doing}; wait for it, or end it") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); choose another folder"
            ) from None
        log.warning("%s: this disk has no locks; write there with one process only", folder)
    try:
        with suppress(OSError):  # on a full disk the lock holds, too
            file.write_text(f"{doing} here (process {os.getpid()})", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            file.unlink()  # before it is released: who opened it meanwhile sees that it is gone
        lock.release()
        for path in missing:
            with suppress(OSError):  # not empty
                path.rmdir()
