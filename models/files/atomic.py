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

    The temporary name keeps the suffix, so that writers that choose a format by it still do, and is
    always the same, so that the next write replaces what a killed process left. Missing parent
    folders are made. When the block fails, the temporary file is removed and an older file under
    the final name stays as it was. Where `path` is a link, what it points to is replaced.

    Raises:
        InputError: the disk is full, the folder cannot be written, or `path` is a folder.
    """
    final = Path(os.path.realpath(path))
    temporary = final.with_name(f".{final.stem}.part{final.suffix}")
    try:
        if final.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder; name a file")
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(final)
    except BaseException as error:
        with suppress(OSError):  # whatever kept us from writing may keep us from cleaning up
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"{path}: {_reason(error)}") from error
        raise


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full, nothing was saved; free some space and run again"
    if error.errno == errno.EISDIR:
        return error.strerror
    return f"cannot be written ({error.strerror or error}); choose another folder"
