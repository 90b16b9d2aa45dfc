"""Write a file so that under its final name there is either the whole of it or nothing new."""

import errno
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.errors import InputError

LONGEST = 255  # bytes of a file's name, on most disks


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the suffix, so that writers that choose a format by it still do.
    Missing parent folders are made. When the block fails, the temporary file is removed and an
    older file under the final name stays as it was. Where `path` is a link, what it points to is
    replaced.

    Raises:
        InputError: the disk is full, the folder cannot be written, or `path` is a folder.
    """
    temporary = None
    try:
        final = _final(path)
        if final.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        temporary = final.parent / f".{_key(final)}-{os.getpid()}{final.suffix}"
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(final)
    except BaseException as error:
        if temporary:
            with suppress(OSError):  # whatever kept us from writing may keep us from cleaning up
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(_reason(Path(path), error)) from error
        raise


def remove_leftovers(*paths: Path | str) -> None:
    """Remove what processes that were killed while they wrote `paths` have left beside them.

    Files of living processes stay. It looks through whole folders.
    """
    finals = [_final(path) for path in paths]
    known = {(path.parent, _key(path), path.suffix) for path in finals}
    for folder in {path.parent for path in finals if path.parent.is_dir()}:
        for file in folder.iterdir():
            match = re.fullmatch(r"\.([0-9a-f]{8})-(\d+)(\..*)?", file.name)
            if match and (folder, match[1], match[3] or "") in known and not _lives(int(match[2])):
                file.unlink(missing_ok=True)


def shortened(stem: str, rest: str = "") -> str:
    """The name `stem` + `rest`; of one that is too long, what fits and a checksum of the stem."""
    if len(os.fsencode(stem + rest)) <= LONGEST:
        return stem + rest
    rest = f"-{zlib.crc32(os.fsencode(stem)):08x}{rest}"
    room = LONGEST - len(os.fsencode(rest))
    return os.fsencode(stem)[:room].decode(errors="ignore") + rest


def _final(path: Path | str) -> Path:
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _key(final: Path) -> str:
    """Tells the temporary files of one target from those of others, also where names are long."""
    return f"{zlib.crc32(os.fsencode(final.name)):08x}"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # of another user, or no number of a process
    return True


def _reason(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: the disk is full, nothing was saved; free some space and run again"
    if error.errno == errno.EISDIR:
        return f"{path}: is a folder; name a file"
    if error.errno == errno.ENAMETOOLONG:
        return f"{path}: this name is too long for the disk; shorten it"
    return f"{path}: cannot be written ({error.strerror or error}); choose another folder"
