"""Names of pictures: what is one, which names fit into lists, which mean the same, NAME_k."""

import unicodedata
from collections.abc import Container
from pathlib import Path

from models.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
# Pictures and arrays of other kinds: what is of these belongs to a set, though nothing reads it.
UNREAD_SUFFIXES = (
    *(".gif", ".heic", ".heif", ".jfif", ".jfi", ".jif", ".jpe", ".avif", ".jxl", ".jp2", ".j2k"),
    *(".apng", ".mpo", ".jxr", ".tga", ".psd", ".exr", ".hdr", ".dds", ".pcx"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm", ".raw", ".dng", ".cr2", ".cr3", ".nef"),
    *(".arw", ".orf", ".rw2", ".npy", ".npz"),
)
# Control characters, undecodable bytes, line and paragraph separators: none fits a line of a list.
UNFIT = ("Cc", "Cs", "Zl", "Zp")


def is_visible(name: str) -> bool:
    """Whether a file or folder is neither hidden nor what macOS adds to archives."""
    return not name.startswith(".") and name != "__MACOSX"


def is_picture(name: str, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> bool:
    """Whether a file name is that of a picture that is not hidden."""
    return name.lower().endswith(suffixes) and is_visible(name)


def composed(name: str) -> str:
    """A name with its accents as others than macOS write them: in one character (NFC), not two."""
    return unicodedata.normalize("NFC", name)


def name_of(path: Path) -> str:
    """The name of a picture or a matte: that of its file, `composed`, without suffix."""
    return composed(path.stem)


def clean(name: str) -> str:
    """A name, `composed`, that can be a line of a list: what cannot is `_`, blanks around it go."""
    name = composed(name)
    if not name.isprintable():
        name = "".join("_" if unicodedata.category(c) in UNFIT else c for c in name)
    return name.strip() or "_"


def is_fit(name: str) -> bool:
    """Whether a `composed` name can be a line of a list as it is."""
    return clean(name) == name


def key(name: str) -> str:
    """What the names of one picture share: no case, no suffix left over, one accent, one blank.

    A suffix is left over where `a.jpg` was saved as `a.jpg.png`. Accents may be written in two
    ways, and a blank may be one that does not break, or as wide as an ideograph.
    """
    text = composed(composed(name).casefold())
    if not text.isascii():
        text = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    while (bare := without_suffix(text)) != text:
        text = bare
    return text


def without_suffix(name: str) -> str:
    """A file name without the suffix of a picture; other dots may be part of the name."""
    bare = name.rpartition(".")[0] if name.lower().endswith(IMAGE_SUFFIXES) else ""
    return bare or name


def composite_names(foreground: str, per_foreground: int) -> list[str]:
    """NAME_0 to NAME_(n - 1) of the foreground NAME.

    Raises:
        InputError: n is less than 1.
    """
    if per_foreground < 1:
        raise InputError(f"{per_foreground} composites for each foreground: choose 1 or more")
    return [f"{foreground}_{k}" for k in range(per_foreground)]


def parse_composite(text: str, foregrounds: Container[str] | None = None) -> tuple[str, int] | None:
    """(NAME, k) of NAME_k; None of anything else.

    Args:
        foregrounds: NAME must be one of these, where they are given.
    """
    name, _, number = text.rpartition("_")
    if not name or len(number) > 9 or not (number.isascii() and number.isdigit()):
        return None
    if foregrounds is not None and name not in foregrounds:
        return None
    k = int(number)
    return (name, k) if str(k) == number else None  # cat_07 would be a second name of cat_7
