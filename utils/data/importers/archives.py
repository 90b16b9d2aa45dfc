"""Archives of data sets: zip and tar, files alone."""

import shutil
import tarfile
import zipfile
from pathlib import Path

from models.errors import InputError


def unpacked(source: Path, folder: Path) -> Path:
    """Unpack a zip or tar archive into a new folder: files alone, and only below that."""
    try:
        if zipfile.is_zipfile(source):
            shutil.unpack_archive(source, folder, "zip")
            return folder
        if source.is_file() and tarfile.is_tarfile(source):
            with tarfile.open(source) as archive:
                archive.extractall(folder, filter=_file_in_tar)
            return folder
    except Exception as error:  # each format has its own, and the disk
        raise InputError(
            f"{source}: cannot be unpacked here ({error}); get it again, or unpack it with another "
            "program and give the folder"
        ) from error
    raise InputError(
        f"{source}: neither a folder nor a whole archive that can be read (.zip, .tar, .tar.gz, "
        ".tar.bz2, .tar.xz); get it again, or unpack it and give the folder"
    )


def _file_in_tar(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    if not (member.isfile() or member.isdir()):
        raise ValueError(f"{member.name} is a link or a device")
    return tarfile.data_filter(member, folder)
