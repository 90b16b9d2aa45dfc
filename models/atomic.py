"""Write a file so that under its final name there is either the whole of it or nothing new."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.errors import InputError


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the suffix, so that writers that choose a format by it still do.
    Missing parent folders are made. When the block fails, the temporary file is removed and an
    older file under the final name stays as it was.

    Raises:
        InputError: the disk is full, the folder cannot be written, or `path` is a folder itself.
    """
    path = Path(path)
    temporary = path.parent / f".{path.stem}.{os.getpid()}{path.suffix}"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):  # whatever kept us from writing may keep us from cleaning up
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(_reason(path, error)) from error
        raise


def _reason(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: the disk is full, nothing was saved; free some space and run again"
    if error.errno == errno.EISDIR:
        return f"{path}: is a folder; name a file"
    return f"{path}: cannot be written ({error.strerror or error}); choose another folder"
