"""One process at a time writes into a folder."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from models.errors import InputError

log = logging.getLogger(__name__)

NAME = ".matting-prune.lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of some disks in a network


@contextmanager
def folder_lock(folder: Path | str, doing: str) -> Iterator[None]:
    """Inside, no other process is inside for the same folder, on this machine or another.

    Locks the hidden file `NAME` in it, which the system releases also when the process dies.
    Folders that are not there yet are made, and removed again if nothing comes into them.

    Args:
        doing: what is done inside, for the process that is refused: "scoring".

    Raises:
        InputError: another process is inside, or the folder cannot be written.
    """
    folder = Path(folder)
    missing = [path for path in (folder, *folder.parents) if not os.path.exists(path)]  # noqa: PTH110
    lock, file = FileLock(folder / NAME), folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
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
