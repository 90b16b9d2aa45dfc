"""Is it a file: one that ends, to be read, or one that can be written? Asked before the work."""

import stat
from collections.abc import Iterable
from pathlib import Path

from models.errors import InputError

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_regular(path: Path | str) -> None:
    """Raise an `InputError` where something that is no file has the name `path`.

    From a named pipe or a device one would wait for ever.
    Where there is nothing, or a folder, whoever opens it says so.
    """
    try:
        kind = KINDS.get(stat.S_IFMT(Path(path).stat().st_mode))
    except (OSError, ValueError):
        return
    if kind:
        raise InputError(f"{path}: is {kind}, no file; remove it, or name a file")


def require_target(option: str, path: Path | None, read: Iterable[Path] = ()) -> None:
    """Raise an `InputError` where a file that will be written cannot be, or is read before.

    Args:
        option: that named it.
        read: files that are read, and folders all of whose files are.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; name a file")
    above = next(one for one in path.absolute().parents if one.exists())
    if not above.is_dir():
        raise InputError(f"{option} {path}: {above} is no folder; name another")
    places = {path.resolve(), path.resolve().parent} if path.exists() else ()
    if any(one.resolve() in places for one in read):
        raise InputError(f"{option} {path}: is read, too, and would be replaced; name another file")
