"""Names of pictures: those of a folder, those of a list file, and which of them mean the same."""

import os
import unicodedata
from collections.abc import Container, Iterable
from pathlib import Path

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.problems import complain

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
# Pictures and arrays of other kinds: what is of these belongs to a set, though nothing reads it.
UNREAD_SUFFIXES = (
    *(".gif", ".heic", ".heif", ".jfif", ".jfi", ".jif", ".jpe", ".avif", ".jxl", ".jp2", ".j2k"),
    *(".apng", ".mpo", ".jxr", ".tga", ".psd", ".exr", ".hdr", ".dds", ".pcx"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm", ".raw", ".dng", ".cr2", ".cr3", ".nef"),
    *(".arw", ".orf", ".rw2", ".npy", ".npz"),
)
# What macOS, Windows and network disks (Synology, QNAP) add: thumbnails, bins, snapshots.
SYSTEM_FOLDERS = {
    *("__macosx", "$recycle.bin", "system volume information", "lost+found"),
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
}
# Control characters, undecodable bytes, line and paragraph separators: none fits a line of a list.
UNFIT = ("Cc", "Cs", "Zl", "Zp")
EMPTY = "holds no names"


def is_visible(name: str) -> bool:
    """Whether a file or folder is neither hidden nor what a system adds for itself."""
    return not name.startswith(".") and name.casefold() not in SYSTEM_FOLDERS


def is_picture(name: str, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> bool:
    """Whether a file name is that of a picture that is not hidden."""
    return name.lower().endswith(suffixes) and is_visible(name)


def nfc(name: str) -> str:
    """A name with its accents as others than macOS write them: in one character (NFC), not two."""
    return unicodedata.normalize("NFC", name)


def name_of(path: Path) -> str:
    """The name of a picture or a matte: that of its file (NFC) without suffix."""
    return nfc(path.stem)


def clean(name: str) -> str:
    """A name (NFC) that can be a line of a list: what cannot is `_`, blanks around it go."""
    name = nfc(name)
    if not name.isprintable():
        name = "".join("_" if unicodedata.category(c) in UNFIT else c for c in name)
    return name.strip() or "_"


def name_key(name: str) -> str:
    """What the names of one picture share: no case, one form of accents and blanks, no suffix.

    A suffix is left over where `a.jpg` was saved as `a.jpg.png`.
    """
    text = nfc(nfc(name).casefold())
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


def pictures_in(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """The pictures right in a folder, by name; hidden ones are passed over.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            files = [one for one in entries if is_picture(one.name, suffixes) and not one.is_dir()]
    except OSError as error:
        raise unreadable(folder, error) from error
    return [folder / name for name in sorted((one.name for one in files), key=nfc)]


def no_folder(folder: Path, cure: str) -> str:
    """What is wrong with a folder that is none."""
    if folder.exists():
        return f"{folder}: is a file; give the folder that holds it, {folder.parent}"
    return f"{folder}: no such folder; {cure}"


def unreadable(folder: Path | str, error: OSError) -> InputError:
    """The error of a folder whose content cannot be listed."""
    return InputError(f"{folder}: cannot be read ({error.strerror}); check its permissions")


def unread_in(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[str]:
    """A line for each file right in a folder that is a picture or an array of a kind not read."""
    other = tuple(suffix for suffix in UNREAD_SUFFIXES if suffix not in suffixes)
    return [
        f"{path}: {path.suffix} is not read here; save it as PNG or JPEG, or remove it"
        for path in pictures_in(folder, other)
    ]


def list_images(
    folder: Path | str,
    problems: list[str] | None = None,
    suffixes: tuple[str, ...] = IMAGE_SUFFIXES,
) -> dict[str, Path]:
    """The pictures of a folder by `name_of`, in the order of their file names.

    Args:
        problems: where to put all that is wrong, instead of raising the first of it.
        suffixes: of what counts as a picture.

    Raises:
        InputError: no such folder, or it cannot be read; no picture in it, or one of a kind that is
            not read; a name that no list can hold, or two pictures of the same name.
    """
    folder = Path(folder)
    images: dict[str, Path] = {}
    if not folder.is_dir():
        complain(no_folder(folder, "make it and put pictures into it"), problems)
        return images
    try:
        paths, unread = pictures_in(folder, suffixes), unread_in(folder, suffixes)
    except InputError as error:
        complain(str(error), problems)
        return images
    complain(unread, problems)
    for path in paths:
        name = name_of(path)
        if clean(name) != name:
            complain(
                f"{folder}: {path.name!r} begins or ends with a blank, or holds characters that "
                "no list of names can; rename it",
                problems,
            )
        first = images.setdefault(name, path)
        if first is not path:
            complain(
                f"{folder}: {first.name} and {path.name} have the same name; remove one", problems
            )
    if not images and not unread:
        complain(f"{folder}: no pictures in it ({', '.join(suffixes)}); add some", problems)
    return images


def read_names(path: Path, problems: list[str] | None = None) -> list[str]:
    """The names in a list file, UTF-8 or else Latin-1, one to a line, as `clean` has them.

    Args:
        problems: where to put what is wrong, instead of raising it.

    Raises:
        InputError: the file cannot be read as text, or holds no name.
    """
    names: list[str] = []
    try:
        data = path.read_bytes()
    except OSError as error:
        complain(
            f"{path}: cannot be read as a list of names ({error.strerror}); check the file",
            problems,
        )
        return names
    if b"\0" in data:
        complain(f"{path}: no plain text; save it as UTF-8", problems)
        return names
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = text.replace("\ufeff", "")  # also in between, where lists were put together
    names = [clean(line) for line in text.splitlines() if line.strip()]
    if not names:
        complain(f"{path}: {EMPTY}; write one to a line, or remove the file", problems)
    return names


def write_names(path: Path, names: Iterable[str]) -> None:
    """Write a list file."""
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
