"""Unpack the archives of strangers: only what is wanted, only below a folder of our own."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from models.atomic import atomic
from models.errors import InputError
from utils.data.importers.entries import Entry, entries, read
from utils.disk.record import Record, record
from utils.disk.room import require_room


@contextmanager
def opened(
    source: Path, beside: Path, wanted: Callable[[PurePosixPath], bool], sought: str
) -> Iterator[Path]:
    """Yield a folder that holds what `source` holds: itself, or where the archive was unpacked.

    An archive is unpacked into a hidden folder beside `beside`. That is removed at the end, and
    when the source is refused; after an interruption it stays, and the next run goes on with it.

    Args:
        source: a folder, or a zip or tar archive.
        wanted: which entries to unpack, by their path.
        sought: what these are, in words.

    Raises:
        InputError: no such source; or as `unpack`.
    """
    if source.is_dir():
        yield source
        return
    folder = beside.parent / f".{beside.name}.{source.name}"
    try:
        unpack(source, folder, wanted, sought)
        yield folder
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)


def unpack(
    archive: Path, folder: Path, wanted: Callable[[PurePosixPath], bool], sought: str
) -> None:
    """Unpack the wanted files of a zip or tar archive; those that are there already stay.

    Every entry is checked, wanted or not, before the first is written. Files take the time of the
    archive, by which those of another archive are told from its own. Characters that no list
    can hold become `_`.

    Raises:
        InputError: no archive, damaged, encrypted; an entry is a link, a device or lies outside;
            two entries of one name; nothing wanted in it; the disk has no room.
    """
    if not archive.exists():
        raise InputError(f"{archive}: no such file or folder; check --from")
    stamp = record(archive).time
    with entries(archive) as everything:
        ours = _targets(archive, [entry for entry in everything if wanted(entry.path)])
        if not ours:
            tops = sorted({entry.path.parts[0] for entry in everything})[:5]
            raise InputError(
                f"{archive}: nothing of {sought} in it; "
                f"it holds {', '.join(tops) or 'no files'}; check --from and --kind"
            )
        due = {
            folder / path: entry
            for path, entry in ours.items()
            if record(folder / path) != Record(path.name, entry.size, stamp)
        }
        total = sum(entry.size for entry in due.values())
        require_room(folder.parent, total, source=archive)
        with tqdm(total=total, desc="unpacking", unit="B", unit_scale=True) as progress:
            for target, entry in due.items():
                with atomic(target) as temporary:
                    with temporary.open("wb") as file:
                        for chunk in read(archive, entry):
                            file.write(chunk)
                            progress.update(len(chunk))
                    os.utime(temporary, ns=(stamp, stamp))


def _targets(archive: Path, wanted: list[Entry]) -> dict[PurePosixPath, Entry]:
    targets: dict[PurePosixPath, Entry] = {}
    for entry in wanted:
        if entry.path in targets:
            raise InputError(f"{archive}: holds two files {entry.path}; unpack it, rename one")
        targets[entry.path] = entry
    return targets
