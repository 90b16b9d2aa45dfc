"""Put files where our layout wants them: copied, linked or moved, never over others."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from models.files.atomic import atomic
from utils.cli.problems import refuse
from utils.cli.progress import progress_bar
from utils.data.importers import unfinished
from utils.data.importers.matching import same_content
from utils.disk.files import record
from utils.disk.room import require_room
from utils.images.names import composed, is_picture, name_of, pictures_in

CURE = "nothing was changed, mend this and run again"
How = Literal["copy", "link", "move"]


def put_files(
    files: Mapping[Path, Path], how: How, source: Path, base: Path, root: Path
) -> tuple[int, int]:
    """Put files at their targets; the same file that is there already stays.

    A file keeps its time, by which it is known again: it is the same if size and time are the same,
    or else all bytes.

    Args:
        files: {target: where it is now}.
        source: what the user named, for messages.
        base: the folder that stands for it; messages name files relative to it.
        root: the data set, where it is noted what comes, as long as it comes.

    Returns:
        How many were put there, and how many were there.

    Raises:
        InputError: another file is under a target's name, or has its stem; a folder to write to is
            a link; the disk has no room or cannot be written.
    """
    folders = {target.parent for target in files}
    refuse([_linked(folder) for folder in sorted(folders) if folder.is_symlink()], source, CURE)
    faults, due = [], {}
    there = {folder: by_name(folder) for folder in folders}
    for target, file in files.items():
        other = taken(target, there[target.parent]) if is_picture(target.name) else None
        if other is None and target.exists() and not _is_same(file, target):
            other = target
        if other is not None:
            faults.append(
                f"{file.relative_to(base)} would be {target}, but {other} is another file of that "
                "name"
            )
        if not target.exists():
            due[target] = file
    refuse(faults, source, CURE)
    if how == "copy" and due:
        total = sum(file.stat().st_size for file in due.values())
        require_room(next(iter(due)).parent, total, source=source)
    if due:
        unfinished.begin(root, source, due)
    for target, file in progress_bar(due.items(), desc="importing", unit="file", disable=not due):
        with atomic(target) as temporary:
            _put(file, temporary, how)
    return len(due), len(files) - len(due)


def require_own(folder: Path, source: Path) -> None:
    """Raise an `InputError` where `folder` is a link: what lies there is not ours to add to."""
    refuse([_linked(folder)] if folder.is_symlink() else [], source, CURE)


def _linked(folder: Path) -> str:
    return f"{folder} is a link to {folder.resolve()}; remove the link, or add the pictures there"


def by_name(folder: Path) -> dict[str, list[Path]]:
    """The pictures of a folder, if it is there, by their names."""
    found: dict[str, list[Path]] = {}
    for path in pictures_in(folder) if folder.is_dir() else ():
        found.setdefault(name_of(path), []).append(path)
    return found


def taken(target: Path, there: Mapping[str, list[Path]]) -> Path | None:
    """Another picture that has the name of `target` in a folder, of which `there` is `by_name`."""
    for path in there.get(name_of(target), []):
        # macOS finds a file by either way to write its accents.
        same = composed(path.name) == composed(target.name) and target.exists()
        if path != target and not same:
            return path
    return None


def _is_same(file: Path, target: Path) -> bool:
    same = record(file)._replace(name=target.name) == record(target)
    return same or same_content(file, target)


def _put(file: Path, temporary: Path, how: How) -> None:
    if how == "link":
        temporary.symlink_to(file.resolve())
    elif how == "move":
        shutil.move(file, temporary)
    else:
        time = file.stat().st_mtime_ns
        shutil.copyfile(file, temporary)
        os.utime(temporary, ns=(time, time))
