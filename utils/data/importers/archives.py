"""Unpack zip and tar archives of strangers: only plain files, only below a folder of our own."""

import logging
import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from tqdm import tqdm

from models.atomic import atomic
from models.errors import InputError
from utils.data.importers.space import require_space
from utils.images.names import clean

log = logging.getLogger(__name__)

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
CHUNK = 1 << 20
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    UnicodeDecodeError,
    OSError,  # a broken gzip or bzip2 stream
)


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
    stamp = archive.stat().st_mtime_ns
    with _entries(archive) as entries:
        ours = _targets(archive, [entry for entry in entries if wanted(entry.path)])
        if not ours:
            tops = sorted({entry.path.parts[0] for entry in entries})[:5]
            raise InputError(
                f"{archive}: nothing of {sought} in it; "
                f"it holds {', '.join(tops) or 'no files'}; check --from and --kind"
            )
        due = {
            folder / path: entry
            for path, entry in ours.items()
            if not _is_there(folder / path, entry.size, stamp)
        }
        total = sum(entry.size for entry in due.values())
        require_space(archive, total, folder)
        with tqdm(total=total, desc="unpacking", unit="B", unit_scale=True) as progress:
            for target, entry in due.items():
                with atomic(target) as temporary:
                    with temporary.open("wb") as file:
                        for chunk in _read(archive, entry):
                            file.write(chunk)
                            progress.update(len(chunk))
                    os.utime(temporary, ns=(stamp, stamp))


class _Entry(NamedTuple):
    """A plain file in an archive."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


@contextmanager
def _entries(archive: Path) -> Iterator[list[_Entry]]:
    name = archive.name.lower()
    if name.endswith(".zip"):
        with _whole(archive):
            file = zipfile.ZipFile(archive)
        with file:
            yield _zip_entries(archive, file)
    elif name.endswith(TAR_SUFFIXES):
        with _whole(archive):
            file = tarfile.open(archive)  # noqa: SIM115, closed below
        with file:
            with _whole(archive):
                members = file.getmembers()
                # At a damaged header tarfile takes the archive for ended.
                file.fileobj.seek(file.offset)
                if any(file.fileobj.read(tarfile.BLOCKSIZE)):
                    raise tarfile.ReadError(f"bad header after {len(members)} entries")
                while file.fileobj.read(CHUNK):  # the checksum of gzip comes last
                    pass
            yield _tar_entries(archive, file, members)
    else:
        raise InputError(
            f"{archive}: neither a folder nor an archive that can be read (.zip, "
            f"{', '.join(TAR_SUFFIXES)}); unpack it and give the folder"
        )


def _zip_entries(archive: Path, file: zipfile.ZipFile) -> list[_Entry]:
    entries = []
    for info in file.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _no_plain_file(archive, info.filename)
        if info.flag_bits & 1:
            raise InputError(
                f"{archive}: {clean(info.filename)} is encrypted; unpack it with the password "
                "and give the folder"
            )
        path = _inside(archive, info.filename)
        if not info.is_dir():
            entries.append(_Entry(path, info.file_size, lambda info=info: file.open(info)))
    return entries


def _tar_entries(
    archive: Path, file: tarfile.TarFile, members: list[tarfile.TarInfo]
) -> list[_Entry]:
    entries = []
    for member in members:
        if not (member.isreg() or member.isdir()):
            raise _no_plain_file(archive, member.name)
        path = _inside(archive, member.name)
        if member.isreg():
            entry = _Entry(path, member.size, lambda member=member: file.extractfile(member))
            entries.append(entry)
    return entries


def _no_plain_file(archive: Path, name: str) -> InputError:
    return InputError(
        f"{archive}: {clean(name)} is a link or a device, which is not unpacked; "
        "unpack it yourself and give the folder"
    )


def _inside(archive: Path, name: str) -> PurePosixPath:
    """The path of an entry below the folder it is unpacked to; raises if it would leave that."""
    parts = name.replace("\\", "/").split("/")  # some programs for Windows write backslashes
    if ".." in parts or not parts[0] or re.match(r"[A-Za-z]:", parts[0]):
        raise InputError(
            f"{archive}: {clean(name)} would be unpacked outside of the data set; do not trust it"
        )
    return PurePosixPath(*(clean(part) for part in parts if part not in ("", ".")))


def _targets(archive: Path, entries: list[_Entry]) -> dict[PurePosixPath, _Entry]:
    targets: dict[PurePosixPath, _Entry] = {}
    for entry in entries:
        if entry.path in targets:
            raise InputError(f"{archive}: holds two files {entry.path}; unpack it, rename one")
        targets[entry.path] = entry
    return targets


def _is_there(path: Path, size: int, stamp: int) -> bool:
    if not path.is_file():
        return False
    there = path.stat()
    return (there.st_size, there.st_mtime_ns) == (size, stamp)


def _read(archive: Path, entry: _Entry) -> Iterator[bytes]:
    """The bytes of an entry, exactly as many as its header says."""
    count = 0
    with _whole(archive, f" at {entry.path}"), entry.open() as stream:
        while chunk := stream.read(CHUNK):
            count += len(chunk)
            yield chunk
    if count != entry.size:
        raise InputError(
            f"{archive}: {entry.path} holds {count} bytes, not {entry.size} as announced; "
            "get the archive again"
        )


@contextmanager
def _whole(archive: Path, place: str = "") -> Iterator[None]:
    try:
        yield
    except (NotImplementedError, RuntimeError) as error:  # a compression that Python does not know
        raise InputError(
            f"{archive}: cannot be unpacked{place} ({_said(error)}); "
            "unpack it with another program (7-Zip, unar) and give the folder"
        ) from error
    except DAMAGED as error:
        raise InputError(
            f"{archive}: damaged, cut off or unreadable{place} ({_said(error)}); get it again"
        ) from error


def _said(error: Exception) -> str:
    """What an error says, in its first line."""
    return (str(error) or type(error).__name__).splitlines()[0]
