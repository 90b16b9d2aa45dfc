"""Which matte and which trimaps belong to which foreground, and everything that does not fit."""

import filecmp
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from utils.data.folders import Foreground
from utils.data.importers.finding import Place, pictures
from utils.images.names import clean, key, without_suffix
from utils.images.pairing import Lookup, partners
from utils.images.reading import check_sizes, image_size, read_alpha, read_image


class Matched(NamedTuple):
    """What belongs together, and every fault found on the way, each in a few words."""

    foregrounds: list[Foreground]
    trimaps: dict[str, Path]  # by the name that they shall have
    faults: list[str]


def match_foregrounds(places: Iterable[Place], listed: list[str] | None, base: Path) -> Matched:
    """Match the pictures of places: the same stem; else the same but for case and old suffixes.

    Copies of the same matte (or foreground) for each composite, NAME_0, NAME_1 and so on, are one.

    Args:
        places: folders to match together.
        listed: the names of the foregrounds, where a list says them; any suffixes.
        base: faults name files relative to this folder.

    Returns:
        Foregrounds by name. Only those without a fault have passed all tests, among them the
        same size of all that belongs together.
    """
    places = list(places)
    faults: list[str] = []

    def found(kind: str) -> list[Path]:
        folders = [getattr(place, kind) for place in places]
        return [path for one in folders if one for path in pictures(one, base, faults)]

    colours = gather(found("fg"), base, faults)
    if listed is not None:
        colours = _merge_copies(colours, map(without_suffix, listed), read_image, base, faults)
    mattes = gather(found("alpha"), base, faults)
    mattes = _merge_copies(mattes, colours, read_alpha, base, faults)
    matte = partners(colours, mattes)
    foregrounds = [Foreground(name, colours[name], mattes[matte[name]]) for name in matte]
    faults += [f"{_rel(colours[n], base)} has no matte" for n in colours if n not in matte]
    used = set(matte.values())
    faults += [f"{_rel(mattes[n], base)} has no foreground" for n in mattes if n not in used]
    usable = {one.name for one in foregrounds if _same_size(one.fg, one.alpha, base, faults)}
    trimaps: dict[str, Path] = {}
    known = Lookup(matte)
    for path in found("trimap"):
        owner = known.owner(clean(path.stem))
        if owner is None:
            faults.append(f"{_rel(path, base)} is the trimap of no foreground")
            continue
        name, number = owner
        target = name if number is None else f"{name}_{number}"
        if target in trimaps and not same_content(trimaps[target], path):
            faults.append(_both(trimaps[target], path, target, base))
        trimaps.setdefault(target, path)
        if name in usable:
            _same_size(colours[name], path, base, faults)
    return Matched(foregrounds, trimaps, faults)


def gather(paths: Iterable[Path], base: Path, faults: list[str]) -> dict[str, Path]:
    """Pictures by the name they shall have, in order; two different ones of a name are a fault."""
    files: dict[str, Path] = {}
    for path in paths:
        name = clean(path.stem)
        if name in files and not same_content(files[name], path):
            faults.append(_both(files[name], path, name, base))
        files.setdefault(name, path)
    return dict(sorted(files.items()))


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    return one.stat().st_size == other.stat().st_size and filecmp.cmp(one, other, shallow=False)


def _merge_copies(
    files: dict[str, Path],
    names: Iterable[str],
    read: Callable[[Path], np.ndarray],
    base: Path,
    faults: list[str],
) -> dict[str, Path]:
    """`files` with NAME for its copies NAME_0, NAME_1 and so on, for NAME in `names`."""
    merged: dict[str, Path] = {}
    known = Lookup(names)
    present = {key(stem) for stem in files}
    for stem, path in files.items():
        owner = known.owner(stem)
        if owner is None or owner[1] is None or key(owner[0]) in present:
            merged[stem] = path
            continue
        first = merged.setdefault(owner[0], path)
        if same_content(first, path):
            continue
        try:
            equal = np.array_equal(read(first), read(path))
        except InputError as error:
            faults.append(_short(error, base))
            continue
        if not equal:
            faults.append(
                f"{_rel(first, base)} and {_rel(path, base)} should be copies of one picture, "
                "but differ"
            )
    return merged


def _same_size(one: Path, other: Path, base: Path, faults: list[str]) -> bool:
    try:
        check_sizes(one, image_size(one), other, image_size(other))
    except InputError as error:
        faults.append(_short(error, base))
        return False
    return True


def _both(one: Path, other: Path, name: str, base: Path) -> str:
    return f"{_rel(one, base)} and {_rel(other, base)} are different, but both would be {name}"


def _rel(path: Path, base: Path) -> str:
    return str(path.relative_to(base) if path.is_relative_to(base) else path)


def _short(error: InputError, base: Path) -> str:
    return str(error).replace(f"{base}{os.sep}", "")
