"""Which matte and which trimaps belong to which foreground, and everything that does not fit."""

import filecmp
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.folders import Foreground
from utils.data.importers.finding import Place, find_pictures
from utils.images.names import clean, name_key, without_suffix
from utils.images.pairing import Lookup, partners
from utils.images.reading import check_same_size, read_alpha, read_image


class Matched(NamedTuple):
    """What belongs together, and every fault found on the way, each in a few words."""

    foregrounds: list[Foreground]
    trimaps: dict[str, Path]  # by the name that they shall have
    faults: list[str]


def match_foregrounds(places: Iterable[Place], listed: list[str] | None, workers: int) -> Matched:
    """Match the pictures of places: the same stem; else the same but for case and old suffixes.

    A picture in folders of its own, such as a frame of a clip, has their names in its name. Copies
    of the same matte (or foreground) for each composite, NAME_0, NAME_1 and so on, are one. All are
    decoded, and what belongs together must be of one size.

    Args:
        places: folders to match together.
        listed: the names of the foregrounds, where a list says them; any suffixes.
        workers: processes that decode; 0 does it in this one.
    """
    faults: list[str] = []
    places = list(places)

    def found(kind: str) -> dict[str, Path]:
        folders = [folder for place in places if (folder := getattr(place, kind))]
        files = ((f, path) for f in folders for path in find_pictures(f, faults))
        return by_unique_name((("_".join(_parts(path, f)), path) for f, path in files), faults)

    colours, mattes, others = found("fg"), found("alpha"), found("trimap")
    if listed is not None:
        colours = _merge_copies(colours, map(without_suffix, listed), read_image, faults)
    mattes = _merge_copies(mattes, colours, read_alpha, faults)
    matte = partners(colours, mattes)
    used = set(matte.values())
    faults += [f"{colours[n]} has no matte" for n in colours if n not in matte]
    faults += [f"{mattes[n]} has no foreground" for n in mattes if n not in used]
    known = Lookup(matte)
    trimaps: dict[str, Path] = {}
    together = {name: [colours[name], mattes[matte[name]]] for name in matte}
    for given, path in others.items():
        name, number = known.owner(given) or (None, None)
        if name is None:
            faults.append(f"{path} is the trimap of no foreground")
            continue
        target = name if number is None else f"{name}_{number}"
        if not same_content(trimaps.setdefault(target, path), path):
            faults.append(_conflict(trimaps[target], path, target))
        together[name].append(path)
    faults += check_pictures(list(together.values()), workers)
    foregrounds = [Foreground(name, *files[:2]) for name, files in together.items()]
    return Matched(foregrounds, trimaps, faults)


def by_unique_name(named: Iterable[tuple[str, Path]], faults: list[str]) -> dict[str, Path]:
    """Pictures by name, in order; two different ones of a name are a fault."""
    files: dict[str, Path] = {}
    for name, path in named:
        if not same_content(files.setdefault(name, path), path):
            faults.append(_conflict(files[name], path, name))
    return dict(sorted(files.items()))


def check_pictures(together: list[list[Path]], workers: int) -> list[str]:
    """What is wrong with pictures, all of which are decoded: damage, sizes that differ.

    Args:
        together: a picture, and the mattes and trimaps that shall be of its size.
        workers: processes; 0 does it in this one.
    """
    found: list[str] = []
    with progress_bar(total=len(together), desc="reading", unit="image") as bar:
        for problems in run(_check, together, workers, "the import"):
            found += problems
            bar.update()
    return sorted(found)


def _check(files: list[Path]) -> list[str]:
    problems, first = [], None
    for path in files:
        try:
            picture = (read_alpha if path != files[0] else read_image)(path)
            first = picture if path == files[0] else first
            if first is not None:
                check_same_size(files[0], first, path, picture)
        except InputError as error:
            problems.append(str(error))
    return problems


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    return one == other or filecmp.cmp(one, other, shallow=False)


def _merge_copies(
    files: dict[str, Path],
    names: Iterable[str],
    read: Callable[[Path], np.ndarray],
    faults: list[str],
) -> dict[str, Path]:
    """`files` with NAME for its copies NAME_0, NAME_1 and so on, for NAME in `names`."""
    merged: dict[str, Path] = {}
    known = Lookup(names)
    present = {name_key(stem) for stem in files}
    for stem, path in files.items():
        name, number = known.owner(stem) or (stem, None)
        if number is None or name_key(name) in present:
            merged[stem] = path
            continue
        first = merged.setdefault(name, path)
        try:
            equal = same_content(first, path) or np.array_equal(read(first), read(path))
        except InputError as error:
            faults.append(str(error))
            continue
        if not equal:
            faults.append(f"{first} and {path} should be copies of one picture, but differ")
    return merged


def _parts(path: Path, folder: Path) -> list[str]:
    return [clean(part) for part in path.relative_to(folder).with_suffix("").parts]


def _conflict(one: Path, other: Path, name: str) -> str:
    return f"{one} and {other} are different, but both would be {name}"
