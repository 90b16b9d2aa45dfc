"""Find in a folder what data sets are made of, whatever its parts are called there."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple, get_args

from models.errors import InputError
from utils.data.folders import Part
from utils.data.importers.lists import list_name
from utils.disk.files import require_regular
from utils.images.layouts import (
    ALPHA_NAMES,
    FG_NAMES,
    PART_NAMES,
    TRIMAP_NAMES,
    VOC_PICTURES,
    children,
    folder_key,
)
from utils.images.names import (
    IMAGE_SUFFIXES,
    UNREAD_SUFFIXES,
    is_picture,
    is_visible,
    pictures_in,
    unread_in,
    unreadable,
)

LICENCE = re.compile(r".*(licen[cs]e|agreement|(?<![a-z])terms(?![a-z])).*", re.IGNORECASE)
ANY_SUFFIX = (*IMAGE_SUFFIXES, *UNREAD_SUFFIXES)
KNOWN = (*FG_NAMES, *ALPHA_NAMES, *TRIMAP_NAMES)
DOCUMENT_SUFFIXES = ("", ".txt", ".md", ".pdf", ".doc", ".docx", ".rtf", ".html")


class Place(NamedTuple):
    """Folders side by side that hold foregrounds, their mattes and perhaps their trimaps."""

    fg: Path
    alpha: Path
    trimap: Path | None


def find_places(folder: Path) -> list[Place]:
    """Every `fg` with an `alpha` beside it (see `FG_NAMES`, `ALPHA_NAMES`), at any depth."""
    places = []
    for parent in _folders(folder):
        fg, alpha, trimap = children(parent, FG_NAMES, ALPHA_NAMES, TRIMAP_NAMES)
        if fg is not None and alpha is not None:
            places.append(Place(fg, alpha, trimap))
    return places


def find_parts(source: Path) -> dict[Part, Path]:
    """The folders of the training and of the test set (see `PART_NAMES`) that hold foregrounds.

    The upper one, where one lies in another.

    Raises:
        InputError: two folders could be the same part.
    """
    found: dict[Part, list[Path]] = {
        part: [
            folder
            for folder in _folders(source)
            if folder_key(folder.name) in PART_NAMES[part] and find_places(folder)
        ]
        for part in get_args(Part)
    }
    parts: dict[Part, Path] = {}
    for part, other in (("train", "test"), ("test", "train")):
        # A folder "train" in which somebody keeps both parts is none of them.
        alone = [one for one in found[part] if not any(one in o.parents for o in found[other])]
        upper = [one for one in alone if not any(o in one.parents for o in alone)]
        if len(upper) > 1:
            raise InputError(
                f"{source}: both {upper[0].relative_to(source)} and {upper[1].relative_to(source)} "
                f"could be its {part} set; give a folder that holds one of them"
            )
        if upper:
            parts[part] = upper[0]
    return parts


def find_pictures(source: Path, faults: list[str]) -> list[Path]:
    """Every picture at any depth, by name of its folder, then by its own.

    Only those of folders `JPEGImages` where there are such folders (VOC).

    Args:
        faults: as for `pictures`.

    Raises:
        InputError: a folder cannot be read, or is a link.
    """
    folders = _folders(source, pictures=True)
    voc = [folder for folder in folders if folder_key(folder.name) == VOC_PICTURES]
    return [path for folder in voc or folders for path in pictures(folder, source, faults)]


def find_licences(source: Path) -> list[Path]:
    """Documents whose name says that they hold the terms of the data."""
    return [path for path in visible_files(source) if is_licence(path.name)]


def is_licence(name: str) -> bool:
    """Whether a file name is that of a document with terms."""
    suffix = Path(name).suffix.lower()
    return suffix in DOCUMENT_SUFFIXES and bool(LICENCE.fullmatch(name))


def is_of_pairs(path: PurePosixPath) -> bool:
    """Whether an archive's entry belongs to foregrounds: those, mattes, trimaps, lists, terms."""
    if not all(map(is_visible, path.parts)):
        return False
    if list_name(path.name) or is_licence(path.name):
        return True
    around = folder_key(path.parent.name)
    return is_picture(path.name, ANY_SUFFIX) and around in KNOWN


def is_visible_picture(path: PurePosixPath) -> bool:
    """Whether an archive's entry is a picture in no hidden folder."""
    return all(map(is_visible, path.parts)) and is_picture(path.name, ANY_SUFFIX)


def pictures(folder: Path, base: Path, faults: list[str]) -> list[Path]:
    """The pictures right in a folder, by name.

    Args:
        base: faults name files relative to this folder.
        faults: where those are told that are there and cannot be read.
    """
    found = pictures_in(folder)
    gone = [path for path in found if not path.exists()]
    told = [*unread_in(folder), *(f"{path}: is a link to what is gone" for path in gone)]
    faults += [one.replace(f"{base}{os.sep}", "") for one in told]
    found = [path for path in found if path not in gone]
    for path in found:
        require_regular(path)
    return found


def visible_files(source: Path) -> Iterator[Path]:
    """Every file at any depth that is not hidden."""
    for folder in _folders(source):
        yield from sorted(
            path for path in folder.iterdir() if path.is_file() and is_visible(path.name)
        )


def _folders(source: Path, pictures: bool = False) -> list[Path]:
    """A folder and all below it, upper ones first, by name, without hidden ones.

    Raises:
        InputError: one cannot be read; or is a link, unless it is called as foregrounds, mattes or
            trimaps are, which are looked for by their names.
    """

    def refuse(error: OSError) -> None:
        raise unreadable(error.filename, error) from error

    found = []
    for folder, below, _ in os.walk(source, onerror=refuse):
        below[:] = sorted(name for name in below if is_visible(name))
        found.append(Path(folder))
        for path in (Path(folder, name) for name in below):
            if path.is_symlink() and (pictures or folder_key(path.name) not in KNOWN):
                raise InputError(
                    f"{path}: is a link to a folder, which is not followed; give {path.resolve()} "
                    "by itself, or put its files there"
                )
    return sorted(found, key=lambda path: (len(path.parts), path))
