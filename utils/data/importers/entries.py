"""The plain files in a zip or tar archive, each checked: none is a link, none lies outside."""

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from models.errors import InputError
from utils.images.names import clean

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
CHUNK = 1 << 20
UTF8 = 1 << 11  # the flag of a zip entry whose name is UTF-8
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    UnicodeDecodeError,
    OSError,  # a broken gzip or bzip2 stream
)


class Entry(NamedTuple):
    """A plain file in an archive."""

    path: PurePosixPath
    size: int
    check: int  # its checksum, or its time where the archive keeps none
    open: Callable[[], IO[bytes]]


@contextmanager
def entries(archive: Path) -> Iterator[list[Entry]]:
    """The files in an archive, as long as it is open.

    Raises:
        InputError: no archive, damaged, encrypted; an entry, whatever it is, is a link, a device or
            would lie outside of the folder that it is unpacked to.
    """
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
                end = file.fileobj.read(tarfile.BLOCKSIZE)
                if any(end):
                    raise tarfile.ReadError(f"bad header after {len(members)} entries")
                if len(end) < tarfile.BLOCKSIZE:  # a whole one ends with blocks of zeros
                    raise tarfile.ReadError(f"ends after {len(members)} entries")
                while rest := file.fileobj.read(CHUNK):  # the checksum of gzip comes last
                    if rest.strip(b"\0"):
                        count = len(members)
                        raise tarfile.ReadError(f"more follows its end after {count} entries")
            yield _tar_entries(archive, file, members)
    else:
        raise InputError(
            f"{archive}: neither a folder nor an archive that can be read (.zip, "
            f"{', '.join(TAR_SUFFIXES)}); unpack it and give the folder"
        )


def _zip_entries(archive: Path, file: zipfile.ZipFile) -> list[Entry]:
    found = []
    for info in file.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _no_plain_file(archive, info.filename)
        if info.flag_bits & 1:
            raise InputError(
                f"{archive}: {clean(info.filename)} is encrypted; unpack it with the password "
                "and give the folder"
            )
        path = _inside(archive, _zip_name(info))
        if not info.is_dir():
            found.append(Entry(path, info.file_size, info.CRC, lambda info=info: file.open(info)))
    return found


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name of an entry, also where its flag does not say that it is UTF-8."""
    if info.flag_bits & UTF8 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:  # of an old program for DOS
        return info.filename


def _tar_entries(
    archive: Path, file: tarfile.TarFile, members: list[tarfile.TarInfo]
) -> list[Entry]:
    found = []
    for member in members:
        if not (member.isreg() or member.isdir()):
            raise _no_plain_file(archive, member.name)
        path = _inside(archive, member.name)
        if member.isreg():
            opening = partial(file.extractfile, member)
            entry = Entry(path, member.size, int(member.mtime), opening)
            found.append(entry)
    return found


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


def read(archive: Path, entry: Entry) -> Iterator[bytes]:
    """The bytes of an entry, exactly as many as its header says; else an `InputError`."""
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
