"""Find in a folder what data sets are made of, whatever its parts are called there."""

import os
import re
from pathlib import Path
from typing import NamedTuple, get_args

from models.errors import InputError
from utils.data.folders import Part
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
    is_visible,
    pictures_in,
    unread_in,
    unreadable,
)

LIST = re.compile(r"(?:(train)(?:ing)?|(test))_(fg|bg)_names\.txt|(fg|bg)_(train|test)\.txt")
TERMS = re.compile(r"licen[cs]e|agreement|(?<![a-z])terms(?![a-z])", re.IGNORECASE)
DOCUMENT_SUFFIXES = ("", ".txt", ".md", ".pdf", ".doc", ".docx", ".rtf", ".html")
KNOWN = (*FG_NAMES, *ALPHA_NAMES, *TRIMAP_NAMES)


class Place(NamedTuple):
    """Folders side by side that hold foregrounds, their mattes and perhaps their trimaps."""

    fg: Path
    alpha: Path
    trimap: Path | None


def find_places(folder: Path) -> list[Place]:
    """Every `fg` with an `alpha` beside it (see `FG_NAMES`, `ALPHA_NAMES`), at any depth."""
    found = [
        Place(*children(parent, FG_NAMES, ALPHA_NAMES, TRIMAP_NAMES)) for parent in folders(folder)
    ]
    return [place for place in found if place.fg and place.alpha]


def find_parts(source: Path) -> dict[Part, Path]:
    """The folders of the training and of the test set (see `PART_NAMES`) that hold foregrounds.

    The upper one, where one lies in another.

    Raises:
        InputError: two folders could be the same part.
    """
    named = {
        part: [
            folder
            for folder in folders(source)
            if folder_key(folder.name) in PART_NAMES[part] and find_places(folder)
        ]
        for part in get_args(Part)
    }
    parts: dict[Part, Path] = {}
    for part, other in (("train", "test"), ("test", "train")):
        # A folder "train" in which somebody keeps both parts is none of them.
        alone = [one for one in named[part] if not any(one in o.parents for o in named[other])]
        upper = [one for one in alone if not any(o in one.parents for o in alone)]
        if len(upper) > 1:
            raise InputError(
                f"{source}: both {upper[0].relative_to(source)} and {upper[1].relative_to(source)} "
                f"could be its {part} set; give a folder that holds one of them"
            )
        if upper:
            parts[part] = upper[0]
    return parts


def find_lists(source: Path) -> dict[str, Path]:
    """Lists of names by what we call them: `train_fg_names.txt`, `test_bg_names.txt` and so on."""
    lists = {}
    for path in _files(source):
        if match := LIST.fullmatch(path.name.casefold()):
            train, test, kind, other_kind, other_part = match.groups()
            lists[f"{train or test or other_part}_{kind or other_kind}_names.txt"] = path
    return lists


def find_terms(source: Path) -> list[Path]:
    """Documents whose name says that they hold the terms of the data."""
    documents = (one for one in _files(source) if one.suffix.lower() in DOCUMENT_SUFFIXES)
    return [path for path in documents if TERMS.search(path.name)]


def find_pictures(source: Path, faults: list[str]) -> list[Path]:
    """Every picture at any depth, by name of its folder, then by its own.

    Only those of folders `JPEGImages` where there are such (VOC).

    Args:
        faults: files of kinds that are not read are added to it.

    Raises:
        InputError: a folder cannot be read, or is a link.
    """
    found = folders(source, links=False)
    found = [one for one in found if folder_key(one.name) == VOC_PICTURES] or found
    faults += [line for folder in found for line in unread_in(folder)]
    return [path for folder in found for path in pictures_in(folder)]


def folders(source: Path, links: bool = True) -> list[Path]:
    """A folder and all below it, upper ones first, by name, without hidden ones.

    Args:
        links: whether what is called as foregrounds, mattes or trimaps are may be a link.

    Raises:
        InputError: a folder cannot be read; or is a link, which is not followed.
    """

    def refuse(error: OSError) -> None:
        raise unreadable(error.filename, error) from error

    found = []
    for folder, below, _ in os.walk(source, onerror=refuse):
        below[:] = sorted(name for name in below if is_visible(name))
        found.append(Path(folder))
        for path in (Path(folder, name) for name in below):
            if path.is_symlink() and not (links and folder_key(path.name) in KNOWN):
                raise InputError(
                    f"{path}: is a link to a folder, which is not followed; give {path.resolve()} "
                    "by itself, or put its files there"
                )
    return sorted(found, key=lambda path: (len(path.parts), path))


def _files(source: Path) -> list[Path]:
    """Every file at any depth that is not hidden."""
    return [
        path
        for folder in folders(source)
        for path in sorted(folder.iterdir())
        if path.is_file() and is_visible(path.name)
    ]
