"""Lists of names that data sets bring: what they are called, and the foregrounds that they name."""

import logging
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from models.errors import InputError
from utils.data.folders import Foreground, Part
from utils.images.names import read_names
from utils.images.pairing import Lookup, follow, last_part

log = logging.getLogger(__name__)

LIST = re.compile(r"(?:(train)(?:ing)?|(test))_(fg|bg)_names\.txt|(fg|bg)_(train|test)\.txt")


def find_lists(files: Iterable[Path], source: Path) -> dict[str, Path]:
    """Lists of names by what we call them: `train_fg_names.txt`, `test_bg_names.txt` and so on.

    Args:
        files: where they may be among others.
        source: the folder of all; messages name files relative to it.

    Raises:
        InputError: two different lists of one kind.
    """
    lists: dict[str, Path] = {}
    for path in files:
        name = list_name(path.name)
        if name is None:
            continue
        if name in lists and lists[name].read_bytes() != path.read_bytes():
            raise InputError(
                f"{source}: {lists[name].relative_to(source)} and {path.relative_to(source)} are "
                "two different lists of one kind; remove one"
            )
        lists.setdefault(name, path)
    return lists


def list_name(name: str) -> str | None:
    """What we call the list of names that a file holds, judged by its name; None for others."""
    found = LIST.fullmatch(name.casefold())
    if found is None:
        return None
    train, test, kind, other_kind, other_part = found.groups()
    return f"{train or test or other_part}_{kind or other_kind}_names.txt"


def read_list(path: Path) -> list[str]:
    """The file names in a list of others, which may have folders before them."""
    return [last_part(name) for name in read_names(path)]


def follow_list(
    listed: list[str], foregrounds: list[Foreground], part: Part
) -> tuple[list[str], list[str]]:
    """The files of the listed foregrounds, in order, by their names here; faults of the list."""
    files = {one.name: one.fg for one in foregrounds}
    order, unknown = follow(listed, files)
    file = f"{part}_fg_names.txt"
    faults = [f"{file} lists {line}, of which there is no pair" for line in unknown]
    faults += [f"{file} lists {one} twice" for one, count in Counter(order).items() if count > 1]
    rest = sorted(files.keys() - set(order))
    if rest and not faults:
        log.warning(
            "%s leaves out %d foregrounds (such as %s), which are not used",
            *(file, len(rest), rest[0]),
        )
    return [f"{name}{files[name].suffix}" for name in order], faults


def warn_unlisted(folder: Path, names: Iterable[str]) -> None:
    """Warn of foregrounds in the part `folder` that its list, if there is one, leaves out."""
    path = folder / f"{folder.name}_fg_names.txt"
    if path.exists():
        listed = Lookup(read_names(path, []))
        new = [name for name in names if listed.find(name) is None]
        if new:
            log.warning("%s: does not list %s, so these are not used; add them", path, new[0])
