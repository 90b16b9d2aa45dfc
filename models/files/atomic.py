"""Write a file so that under its final name there is either the whole of it or nothing new."""

import errno
import os
import re
import socket
import stat
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
        InputError: the disk is full, the folder cannot be written, or `path` is a folder, a pipe
            or a device.
    """
    temporary = None
    try:
        final = _final(path)
        _check(final)
        own = f".{os.getpid()}-{_machine()}{final.suffix}"
        temporary = final.parent / fitting(f".{final.stem}", own)
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

    For large files, or many: it looks through their whole folders. Files of living processes stay,
    and those of other machines, of which nobody knows here.
    """
    ours = re.compile(rf"\.(.+)\.(\d+)-{_machine()}(\..*)?")
    names: dict[Path, set[tuple[str, str]]] = {}
    for path in paths:
        with suppress(OSError, RuntimeError):  # `atomic` says what is wrong with a path
            final = _final(path)
            names.setdefault(final.parent, set()).add((final.stem, final.suffix))
    for folder, known in names.items():
        with suppress(OSError):
            for file in folder.iterdir():
                match = ours.fullmatch(file.name)
                if match and (match[1], match[3] or "") in known and not _lives(int(match[2])):
                    file.unlink(missing_ok=True)


def _final(path: Path | str) -> Path:
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _check(path: Path) -> None:
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.ENOTSUP, "is a pipe or a device")


def _machine() -> str:
    """Eight digits for this machine: a process number means nothing on another."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # of another user, or no number of a process
    return True


def shortened(stem: str, rest: str = "") -> str:
    """The name `stem` + `rest`; of one that is too long, what fits and a checksum of the stem."""
    if len(os.fsencode(stem + rest)) <= LONGEST:
        return stem + rest
    return fitting(stem, f"-{zlib.crc32(os.fsencode(stem)):08x}{rest}")


def fitting(stem: str, rest: str) -> str:
    """The name `stem` + `rest`, of which as much of the stem is left out as is too long."""
    room = LONGEST - len(os.fsencode(rest))
    return os.fsencode(stem)[:room].decode(errors="ignore") + rest


def _reason(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: the disk is full, nothing was saved; free some space and run again"
    if error.errno == errno.EISDIR:
        return f"{path}: is a folder; name a file"
    if error.errno == errno.ENAMETOOLONG:
        return f"{path}: this name is too long for the disk; shorten it"
    return f"{path}: cannot be written ({error.strerror or error}); choose another folder"
