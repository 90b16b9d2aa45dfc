"""Which pictures there are: those of a folder, and those that a list file names."""

import os
from collections.abc import Iterable
from pathlib import Path

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.problems import complain
from utils.disk.regular import require_regular
from utils.images.names import (
    IMAGE_SUFFIXES,
    UNREAD_SUFFIXES,
    clean,
    composed,
    is_fit,
    is_picture,
    name_of,
)

EMPTY = "holds no names"


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
    return [folder / name for name in sorted((one.name for one in files), key=composed)]


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
        complain(f"{folder}: no such folder; make it and put pictures into it", problems)
        return images
    try:
        found, unread = pictures_in(folder, suffixes), unread_in(folder, suffixes)
    except InputError as error:
        complain(str(error), problems)
        return images
    complain(unread, problems)
    for path in found:
        name = name_of(path)
        if not is_fit(name):
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
    """The names in a list file, one to a line, as `clean` has them; blank lines are passed over.

    UTF-8, with or without a byte order mark, or else Latin-1.

    Args:
        problems: where to put what is wrong, instead of raising it.

    Raises:
        InputError: the file cannot be read as text, or holds no name.
    """
    try:
        require_regular(path)
        data = path.read_bytes()
    except InputError as error:
        complain(str(error), problems)
        return []
    except OSError as error:
        reason = error.strerror or error
        complain(f"{path}: cannot be read as a list of names ({reason}); mend it", problems)
        return []
    if b"\0" in data:
        complain(f"{path}: no plain text; save it as UTF-8", problems)
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = text.replace("\ufeff", "")  # lists put together bring such marks in between
    names = [clean(line) for line in text.splitlines() if line.strip()]
    if not names:
        complain(f"{path}: {EMPTY}; write one to a line, or remove the file", problems)
    return names


def write_names(path: Path, names: Iterable[str]) -> None:
    """Write a list file."""
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
