"""What composites were made of and how, noted beside them: which are still to be made?"""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.errors import InputError
from models.files.atomic import atomic
from utils.data.compose.composites import Composition, count_pixels
from utils.disk.files import record
from utils.disk.room import format_bytes, require_room

log = logging.getLogger(__name__)


def pending(
    file: Path,
    root: Path,
    planned: Sequence[Composition],
    pictures: Sequence[Path],
    settings: dict,
    *,
    bytes_per_pixel: float,
    trimaps: Mapping[str, Path] | None = None,
    copies: int = 1,
    instead: str = "choose another --data-root",
) -> list[Composition]:
    """Those of the `planned` composites that are to be made.

    Pictures that belong to no composite, or were made otherwise or of other files, are removed
    first, once it is known that there is room for those to come.

    Args:
        file: where it is noted what composites are made of, before they are made.
        root: the data set; files in it are noted by where they are in it, so that it can be moved.
        pictures: all that are there, as NAME_k in as many `copies` (image, matte, trimap).
        settings: what else decides all of them; plain data.
        bytes_per_pixel: what a composite takes.
        trimaps: those that composites have, by NAME_k.
        instead: what helps where there is no room.

    Raises:
        InputError: a picture that was not made here is among them; the disk is too small; a
            foreground and its matte differ in size.
    """
    description = _describe(root, planned, trimaps or {}, settings)
    old = _outdated(file, description, pictures)
    there = Counter(path.stem for path in set(pictures) - set(old))
    left = [
        Composition(foreground, [one for one in made if there[one.name] < copies])
        for foreground, made in planned
    ]
    count = sum(len(one.composites) for one in left)
    needed = count_pixels(left) * bytes_per_pixel
    if count:
        log.info(
            "%s: %d composites to make, about %s; %d are there already",
            *(file.parent, count, format_bytes(needed), len(description["composites"]) - count),
        )
    require_room(file.parent, needed, replaced=old, instead=instead)
    for path in old:
        path.unlink()
    if _read(file) != description:  # after an interruption, too, what is there is as noted
        with atomic(file) as temporary:
            temporary.write_text(json.dumps(description, indent=1), encoding="utf-8")
    return [one for one in left if one.composites]


def _describe(
    root: Path, planned: Sequence[Composition], trimaps: Mapping[str, Path], settings: dict
) -> dict:
    sources = {
        one.name: [
            *(foreground.fg, foreground.alpha, one.background),
            *([trimaps[one.name]] if one.name in trimaps else ()),
        ]
        for foreground, composites in planned
        for one in composites
    }
    root = root.resolve()
    places = {path: "" for paths in sources.values() for path in paths}
    for path in places:
        there = path.resolve()
        places[path] = str(there.relative_to(root) if there.is_relative_to(root) else there)
    return {
        **settings,
        "sources": {place: str(record(path)) for path, place in places.items()},
        "composites": {name: [places[path] for path in paths] for name, paths in sources.items()},
    }


def _outdated(file: Path, description: dict, pictures: Sequence[Path]) -> list[Path]:
    noted = _read(file)
    before, now = _composites(noted), _composites(description)
    ours = before.keys() | now.keys() if file.exists() else ()
    strangers = sorted(path for path in pictures if path.stem not in ours)
    if strangers:
        more = f" (as are {len(strangers) - 1} more)" if len(strangers) > 1 else ""
        raise InputError(f"{strangers[0]}: was not made here{more}; move it to another folder")
    if _settings(noted) != _settings(description):
        return list(pictures)
    same = {name for name, files in now.items() if before.get(name) == files}
    return [path for path in pictures if path.stem not in same]


def _composites(description: dict) -> dict[str, list[tuple[str, str | None]]]:
    """The files of each composite with their records."""
    records = description.get("sources", {})
    return {
        name: [(place, records.get(place)) for place in places]
        for name, places in description.get("composites", {}).items()
    }


def _settings(description: dict) -> dict:
    return {k: v for k, v in description.items() if k not in ("sources", "composites")}


def _read(file: Path) -> dict:
    """What was noted; of a file that is not there or damaged, nothing."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
