"""Names of pictures: fit for every disk and every list, and compared as people mean them."""

import unicodedata
from pathlib import Path

from utils.images.files import IMAGE_SUFFIXES

# Control characters, undecodable bytes, line and paragraph separators: none fits a line of a list.
UNFIT = ("Cc", "Cs", "Zl", "Zp")


def clean(name: str) -> str:
    """A name that can be a line of a text file: what cannot becomes `_`, blanks around it go."""
    return "".join("_" if unicodedata.category(c) in UNFIT else c for c in name).strip() or "_"


def key(stem: str) -> str:
    """What the names of one picture share: no case, no suffix left over, accents written one way.

    A suffix is left over where `a.jpg` was saved as `a.jpg.png`.
    """
    text = unicodedata.normalize("NFC", stem).casefold()
    while (bare := without_suffix(text)) != text:
        text = bare
    return text


def without_suffix(name: str) -> str:
    """A file name without the suffix of a picture; other dots may be part of the name."""
    for suffix in IMAGE_SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def folder_key(name: str) -> str:
    """`Training_set` of `Training-Set` and `training set`, in lower case."""
    return name.casefold().replace(" ", "_").replace("-", "_")


def is_picture(name: str) -> bool:
    """Whether a file name is that of a picture that is not hidden."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")
