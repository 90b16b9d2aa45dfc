"""Put files where our layout wants them: copied, linked or moved, all at once."""

import filecmp
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from models.errors import InputError
from utils.cli.problems import refuse
from utils.cli.progress import progress_bar
from utils.data.folders import Part
from utils.disk.room import require_room
from utils.images.names import name_of, nfc, pictures_in


class Request(NamedTuple):
    """An import."""

    kind: str
    source: Path  # what the user named
    folder: Path  # the same, or where it is unpacked
    root: Path  # of the data set
    scratch: Path  # a folder for what is not whole yet
    part: Part | None
    mode: Literal["copy", "link", "move"]
    workers: int

    @property
    def staging(self) -> Path:
        """A folder in which everything is laid out as it will come into the data set."""
        return self.scratch / "staged"

    def publish(self) -> None:
        """Let all that is staged come into the data set."""
        for path in sorted(path for path in self.staging.rglob("*") if not path.is_dir()):
            target = self.root / path.relative_to(self.staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

    def refuse(self, faults: list[str]) -> None:
        """Raise an `InputError` of all that is wrong with the source, if anything is."""
        for folder in (self.folder, self.scratch):
            faults = [fault.replace(f"{folder}{os.sep}", "") for fault in faults]
        refuse(faults, self.source, "nothing was changed, mend this and run again")

    def nothing_found(self, sought: str) -> InputError:
        """The error that nothing of what was `sought` is there."""
        there = sorted(path.name for path in self.folder.iterdir() if path.is_dir())[:5]
        return InputError(
            f"{self.source}: looked for {sought}, and found none in its folders "
            f"({', '.join(there) or 'there are none'}); check --from and --kind"
        )


class Summary(NamedTuple):
    """What was imported."""

    folders: dict[str, int]  # pictures of the source by where they are now: {"train/fg": 431, ...}
    written: int  # files that are new
    kept: int  # files that were there already

    def __str__(self) -> str:
        parts = [f"{count} {folder}" for folder, count in self.folders.items()]
        return f"{', '.join(parts)} ({self.written} files written, {self.kept} were there)"


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """Yield a hidden folder in `root` for what is not whole yet, which is removed at the end."""
    folder = root / ".importing"
    shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_pictures(request: Request, folders: Mapping[str, Mapping[str, Path]]) -> Summary:
    """Put pictures into folders of the data set; the same file that is there already stays.

    A file keeps its time, by which it is known again: it is the same if size and time are the same,
    or else all bytes.

    Args:
        folders: {"train/fg": {name: where the picture is now}}.

    Raises:
        InputError: another picture has one of the names; a folder to write to is a link; the disk
            has no room.
    """
    pending: dict[Path, Path] = {}
    faults: list[str] = []
    for place, files in folders.items():
        folder = request.root / place
        if folder.is_symlink():
            raise InputError(
                f"{request.source}: {folder} is a link to {folder.resolve()}; remove the link, or "
                "add the pictures there"
            )
        there = {name_of(path): path for path in (pictures_in(folder) if folder.is_dir() else ())}
        for name, file in files.items():
            target, other = Path(place, f"{name}{file.suffix}"), there.get(name)
            if other is None:
                pending[target] = file
            elif nfc(other.name) != target.name or not filecmp.cmp(file, other):
                faults.append(
                    f"{file} would be {request.root / target}, but {other} is another file of that "
                    "name"
                )
    request.refuse(faults)
    if request.mode == "copy":
        total = sum(file.stat().st_size for file in pending.values())
        require_room(request.root, total, source=request.source)
    for target, file in progress_bar(
        pending.items(), desc="importing", unit="file", disable=not pending
    ):
        staged_file = request.staging / target
        staged_file.parent.mkdir(parents=True, exist_ok=True)
        if request.mode == "link":
            staged_file.symlink_to(file.resolve())
        else:
            (shutil.move if request.mode == "move" else shutil.copy2)(file, staged_file)
    counts = {place: len(files) for place, files in folders.items()}
    return Summary(counts, len(pending), sum(counts.values()) - len(pending))
