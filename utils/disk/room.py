"""Is there room on the disk? Asked before many files are written."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from models.errors import InputError

# Roughly what a pixel takes: of a photograph by its suffix, of a matte or trimap as PNG.
PHOTOGRAPH = {".png": 1.8, ".jpg": 0.4}
MATTE = 0.2


def require_room(
    folder: Path,
    needed: float,
    *,
    source: Path | None = None,
    replaced: Iterable[Path] = (),
    instead: str = "choose another --data-root",
) -> None:
    """Raise an `InputError` unless `needed` bytes fit on the disk of `folder`.

    Args:
        folder: where they will be written; need not exist yet.
        source: what is too large, for the message; by default the folder.
        replaced: files whose room will be free.
        instead: what helps besides free space.
    """
    if not needed:
        return
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free + sum(path.stat().st_size for path in replaced)
    if needed > free:
        disk = f"the disk of {folder}" if source else "its disk"
        raise InputError(
            f"{source or folder}: needs {format_bytes(needed)}, but {format_bytes(free)} are free "
            f"on {disk}; free some space, or {instead}"
        )


def format_bytes(count: float) -> str:
    """A number of bytes for people: 1.9 kB."""
    units = ["TB", "GB", "MB", "kB", "bytes"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop()
    return f"{count:.4g} {units[-1]}"
