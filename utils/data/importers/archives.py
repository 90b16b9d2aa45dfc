"""Unpack the archives of strangers: only what is wanted, only below a folder of our own."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from models.errors import InputError
from models.files.atomic import atomic, shortened
from utils.cli.progress import progress_bar
from utils.data.importers.entries import Entry, entries, read
from utils.disk.files import Record, record, require_regular
from utils.disk.room import require_room

NOTE = ".archive"  # hidden, and so no entry


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
    folder = beside.parent / shortened(f".{beside.name}.{source.name}")
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

    Every entry is checked, wanted or not, before the first is written. A note in the folder tells
    which archive its files are of, and what is there without it, or of another archive, is removed.
    Characters that no list can hold become `_`.

    Raises:
        InputError: no archive, damaged, encrypted; an entry is a link, a device or lies outside;
            two entries of one name; nothing wanted in it; the disk has no room.
    """
    if not archive.exists():
        raise InputError(f"{archive}: no such file or folder; check --from")
    require_regular(archive)
    stamp = record(archive).time
    note = folder / NOTE
    with entries(archive) as everything:
        ours = _targets(archive, [entry for entry in everything if wanted(entry.path)])
        if not ours:
            tops = sorted({entry.path.parts[0] for entry in everything})[:5]
            raise InputError(
                f"{archive}: nothing of {sought} in it; "
                f"it holds {', '.join(tops) or 'no files'}; check --from and --kind"
            )
        content = _content(archive, everything)
        if not note.is_file() or note.read_bytes() != content:
            shutil.rmtree(folder, ignore_errors=True)
        due = {
            folder / path: entry
            for path, entry in ours.items()
            if record(folder / path) != Record(path.name, entry.size, stamp)
        }
        total = sum(entry.size for entry in due.values())
        require_room(folder.parent, total, source=archive)
        with atomic(note) as temporary:
            temporary.write_bytes(content)
        with progress_bar(total=total, desc="unpacking", unit="B", unit_scale=True) as bar:
            for target, entry in due.items():
                with atomic(target) as temporary:
                    with temporary.open("wb") as file:
                        for chunk in read(archive, entry):
                            file.write(chunk)
                            bar.update(len(chunk))
                    os.utime(temporary, ns=(stamp, stamp))


def _content(archive: Path, everything: list[Entry]) -> bytes:
    """What tells an archive from every other one: its record, and all that is in it."""
    digest = hashlib.sha256(str(record(archive)).encode())
    for entry in everything:
        digest.update(f"\n{entry.path} {entry.size} {entry.check}".encode())
    return digest.hexdigest().encode()


def _targets(archive: Path, wanted: list[Entry]) -> dict[PurePosixPath, Entry]:
    targets: dict[PurePosixPath, Entry] = {}
    for entry in wanted:
        if entry.path in targets:
            raise InputError(f"{archive}: holds two files {entry.path}; unpack it, rename one")
        targets[entry.path] = entry
    return targets
