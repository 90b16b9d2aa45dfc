"""Unpack the archives of strangers: only plain files, only below a folder of our own."""

import lzma
import tarfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from models.errors import InputError
from utils.cli.progress import progress_bar
from utils.disk.room import require_room

UTF8 = 1 << 11  # the flag of a zip entry whose name is UTF-8
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


def unpack(source: Path, folder: Path) -> Path:
    """Unpack a zip or tar archive into a new folder, and return that.

    Raises:
        InputError: no such file; no archive, damaged or encrypted; an entry is a link, a device or
            lies outside; the disk has no room.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; check --from")
    folder.mkdir(parents=True)
    try:
        if source.suffix.lower() == ".zip":
            with zipfile.ZipFile(source) as archive:
                _unzip(source, archive, folder)
        elif tarfile.is_tarfile(source):
            with tarfile.open(source) as archive:
                _untar(source, archive, folder)
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
    return folder


def _unzip(source: Path, archive: zipfile.ZipFile, folder: Path) -> None:
    for entry in archive.infolist():
        if not entry.flag_bits & UTF8:
            with suppress(UnicodeError):  # many programs write UTF-8 without the flag
                entry.filename = entry.filename.encode("cp437").decode()
        entry.filename = entry.filename.replace("\\", "/")
    require_room(folder, sum(entry.file_size for entry in archive.infolist()), source=source)
    for entry in progress_bar(archive.infolist(), desc="unpacking", unit="file"):
        archive.extract(entry, folder)  # leaves out of a path what would lead outside


def _untar(source: Path, archive: tarfile.TarFile, folder: Path) -> None:
    for entry in archive:
        if not (entry.isreg() or entry.isdir()):
            raise InputError(
                f"{source}: {entry.name} is a link or a device, which is not unpacked; unpack it "
                "yourself and give the folder"
            )
    require_room(folder, sum(entry.size for entry in archive), source=source)
    for entry in progress_bar(archive.getmembers(), desc="unpacking", unit="file"):
        archive.extract(entry, folder, filter="data")
