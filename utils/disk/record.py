"""What a file was when something was made of it: its name, size and time. Has it changed since?"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Record(NamedTuple):
    """A file as it was; equal records are taken for the same content.

    Times are compared for equality, never for their order: what replaces a file may be older.
    """

    name: str
    size: int
    time: int  # of the last change, in nanoseconds

    def __str__(self) -> str:
        """The form in which it is noted."""
        return f"{self.name} {self.size} {self.time}"


def record(path: Path) -> Record | None:
    """The record of a file as it is now; None where there is none."""
    try:
        known = path.stat()
    except OSError:
        return None
    return Record(path.name, known.st_size, known.st_mtime_ns)


def unchanged(files: Sequence[Path], noted: Sequence[str]) -> bool:
    """Whether all files are there and still what was noted of them, each as `str(record(file))`."""
    now = [record(path) for path in files]
    return None not in now and [str(one) for one in now] == list(noted)
