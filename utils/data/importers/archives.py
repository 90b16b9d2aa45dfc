"""Unpack the archives of strangers: only what is wanted, only below a folder of our own."""

import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from models.errors import InputError
from models.files.atomic import shortened
from utils.cli.progress import progress_bar
from utils.disk.files import require_regular
from utils.disk.room import require_room

UTF8 = 1 << 11  # the flag of a zip entry whose name is UTF-8
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
Wanted = Callable[[PurePosixPath], bool]


@contextmanager
def opened(source: Path, beside: Path, wanted: Wanted) -> Iterator[Path]:
    """Yield a folder that holds what `source` holds: itself, or where the archive is unpacked.

    An archive is unpacked into a hidden folder beside `beside`, which is removed at the end.

    Args:
        source: a folder, or a zip or tar archive.
        wanted: which entries to unpack, by their path.

    Raises:
        InputError: no such source; no archive, damaged or encrypted; an entry is a link, a device
            or lies outside; the disk has no room.
    """
    if source.is_dir():
        yield source
        return
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; check --from")
    require_regular(source)
    folder = beside.parent / shortened(f".{beside.name}.{source.name}")
    shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed
    try:
        folder.mkdir()
        _unpack(source, folder, wanted)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(source: Path, folder: Path, wanted: Wanted) -> None:
    try:
        if source.suffix.lower() == ".zip":
            with zipfile.ZipFile(source) as archive:
                _unzip(source, archive, folder, wanted)
        elif tarfile.is_tarfile(source):
            with tarfile.open(source) as archive:
                _untar(source, archive, folder, wanted)
        else:
            raise InputError(
                f"{source}: neither a folder nor an archive that can be read (.zip, .tar, .tar.gz, "
                ".tar.bz2, .tar.xz); unpack it and give the folder"
            )
    except tarfile.FilterError as error:
        raise InputError(f"{source}: {error}; do not trust it") from error
    except (NotImplementedError, RuntimeError) as error:  # a password, an unknown compression
        raise InputError(
            f"{source}: cannot be unpacked here ({error}); unpack it with another program (7-Zip, "
            "unar) and give the folder"
        ) from error
    except (*DAMAGED, OSError) as error:
        if getattr(error, "errno", None):  # of the disk, not of a stream
            raise
        raise InputError(f"{source}: damaged or cut off ({error}); get it again") from error


def _unzip(source: Path, archive: zipfile.ZipFile, folder: Path, wanted: Wanted) -> None:
    entries = []
    for entry in archive.infolist():
        if not entry.flag_bits & UTF8:
            with suppress(UnicodeError):  # many programs write UTF-8 without the flag
                entry.filename = entry.filename.encode("cp437").decode()
        entry.filename = entry.filename.replace("\\", "/")
        if not entry.is_dir() and wanted(PurePosixPath(entry.filename)):
            entries.append(entry)
    _require(source, folder, archive.namelist(), [entry.file_size for entry in entries])
    for entry in progress_bar(entries, desc="unpacking", unit="file"):
        archive.extract(entry, folder)  # leaves out of a path what would lead outside


def _untar(source: Path, archive: tarfile.TarFile, folder: Path, wanted: Wanted) -> None:
    entries = [one for one in archive if not one.isdir() and wanted(PurePosixPath(one.name))]
    for entry in entries:
        if not entry.isreg():
            raise InputError(
                f"{source}: {entry.name} is a link or a device, which is not unpacked; unpack it "
                "yourself and give the folder"
            )
    _require(source, folder, archive.getnames(), [entry.size for entry in entries])
    for entry in progress_bar(entries, desc="unpacking", unit="file"):
        archive.extract(entry, folder, filter="data")


def _require(source: Path, folder: Path, names: list[str], sizes: list[int]) -> None:
    """Raise an `InputError` where nothing is wanted of the files `names`, or there is no room."""
    if not sizes:
        tops = sorted({name.split("/")[0] for name in names})[:5]
        raise InputError(
            f"{source}: nothing that is looked for is in it; it holds "
            f"{', '.join(tops) or 'no files'}; check --from and --kind"
        )
    require_room(folder.parent, sum(sizes), source=source)
