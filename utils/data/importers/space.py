"""Is there room on the disk? Asked before anything is written."""

import shutil
from pathlib import Path

from models.errors import InputError


def require_space(source: Path, needed: int, folder: Path) -> None:
    """Raise an `InputError` unless `needed` bytes from `source` fit on the disk of `folder`."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise InputError(
            f"{source}: takes {_size(needed)}, but {_size(free)} are free on the disk of {folder}; "
            "free some space, or choose another --data-root"
        )


def _size(count: float) -> str:
    units = ["TB", "GB", "MB", "kB", "bytes"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop()
    return f"{count:.4g} {units[-1]}"
