"""One process at a time writes into a folder."""

import errno
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from models.errors import InputError

try:
    import fcntl
except ImportError:  # Windows; there is no lock there
    fcntl = None

log = logging.getLogger(__name__)

NAME = ".lock"
OURS = re.compile(r"(.+ here \(process \d+\))?")  # what a process that was killed has left
TRIES = 1000  # it may be removed between two looks, by who was inside before
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of some disks in a network
_held: set[IO[str]] = set()  # by this process; what it forks must let go of them


@contextmanager
def folder_lock(folder: Path | str, doing: str) -> Iterator[None]:
    """Inside, no other process is inside for the same folder, on this machine or another.

    Holds a lock on the hidden file `folder/.lock`, which the system releases also when the process
    dies. A folder that is not there yet is made, and removed again if nothing comes into it.

    Args:
        doing: what is done inside, for the process that is refused: "scoring".

    Raises:
        InputError: another process is inside, the folder cannot be written, or holds a `.lock` of
            others.
    """
    if fcntl is None:
        yield
        return
    folder = Path(folder)
    missing = [path for path in (folder, *folder.parents) if not os.path.exists(path)]  # noqa: PTH110
    try:
        file = _locked(folder)
        _held.add(file)
        try:
            with suppress(OSError):  # on a full disk the lock holds, too
                file.write(f"{doing} here (process {os.getpid()})")
                file.flush()
            yield
        finally:
            with suppress(OSError):
                (folder / NAME).unlink()  # before it is released
            _held.discard(file)
            with suppress(OSError):
                file.close()
    finally:
        for path in missing:
            with suppress(OSError):  # not empty
                path.rmdir()


def _release_in_child() -> None:
    """In a forked process, such as a loader's: it would hold the lock when its parent has died."""
    for file in _held:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, file.fileno(), inheritable=False)  # closed, its number could be another's
        os.close(nothing)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)


def _locked(folder: Path) -> IO[str]:
    """The file `.lock` of a folder, opened and locked."""
    path = folder / NAME
    for _ in range(TRIES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8", errors="replace")
        except FileNotFoundError:  # removed by who was inside before
            continue
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); choose another folder"
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                doing = file.read() or "writing here"
            raise InputError(
                f"{folder}: another process is {doing}; wait for it, or end it"
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            log.warning("%s: this disk has no locks; write there with one process only", folder)
        with suppress(FileNotFoundError):
            # Who was inside may have removed the file that we opened, and another made a new one.
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.seek(0)
                if not OURS.fullmatch(file.read()):
                    file.close()
                    raise InputError(f"{path}: is a file of others; choose another folder")
                file.truncate(0)
                return file
        file.close()
    raise InputError(f"{path}: cannot be made; choose another folder, or remove what is there")
