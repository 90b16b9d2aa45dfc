"""What composites were made of and how, noted beside them: which of them still hold?"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from models.errors import InputError
from models.files.atomic import atomic
from utils.disk.record import record
from utils.disk.regular import require_regular
from utils.images.names import name_of


def describe(root: Path, sources: Mapping[str, Sequence[Path]], settings: dict) -> dict:
    """What composites are made of and how, as plain data.

    Args:
        root: the data set; files in it are noted by where they are in it, so that it can be moved.
        sources: the files that each composite is made of, by NAME_k.
        settings: what else decides all of them; plain data.
    """
    root = root.resolve()
    files = {path: "" for paths in sources.values() for path in paths}
    for path in files:
        there = path.resolve()
        files[path] = str(there.relative_to(root) if there.is_relative_to(root) else there)
    return {
        **settings,
        "sources": {place: str(record(path)) for path, place in files.items()},
        "composites": {name: [files[path] for path in paths] for name, paths in sources.items()},
    }


def require_made(file: Path, description: dict, pictures: Iterable[Path]) -> None:
    """Raise an `InputError` where one of `pictures` is none of ours: neither noted nor described.

    Args:
        file, description: as `outdated`.
    """
    ours = {*_read(file)["composites"], *description["composites"]}
    strangers = sorted(path for path in pictures if name_of(path) not in ours)
    if strangers:
        more = f" (as are {len(strangers) - 1} more)" if len(strangers) > 1 else ""
        raise InputError(f"{strangers[0]}: was not made here{more}; move it to another folder")


def outdated(file: Path, description: dict, pictures: Iterable[Path]) -> list[Path]:
    """Those of `pictures` that belong to no composite, or were made otherwise or of other files.

    Args:
        file: where `note` has left the description that they were made by.
        description: that of now, from `describe`.
    """
    noted = _read(file)
    if _settings(noted) != _settings(description):
        return list(pictures)
    before, now = noted["composites"], description["composites"]
    old, new = noted["sources"], description["sources"]
    same = {
        name
        for name, places in now.items()
        if before.get(name) == places and all(old.get(place) == new[place] for place in places)
    }
    return [path for path in pictures if name_of(path) not in same]


def note(file: Path, description: dict) -> None:
    """Leave the description in `file`, after all that is outdated was removed, before more is made.

    So what is there is always as it was noted, after an interruption too.
    """
    if _read(file) != description:
        with atomic(file) as temporary:
            temporary.write_text(json.dumps(description, indent=1), encoding="utf-8")


def _settings(description: dict) -> dict:
    return {k: v for k, v in description.items() if k not in ("sources", "composites")}


def _read(file: Path) -> dict:
    """What was noted; of a file that is not there, damaged or no note, nothing."""
    require_regular(file)
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        noted = None
    noted = noted if isinstance(noted, dict) else {}
    for key in ("composites", "sources"):
        if not isinstance(noted.get(key), dict):
            noted[key] = {}
    return noted
