"""Is it a file, which ends when it is read? Asked before it is opened."""

import stat
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
