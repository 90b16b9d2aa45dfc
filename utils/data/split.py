"""Split the training set into train and valid: by foreground, or by composite as published."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from utils.cli.files import folder_lock
from utils.cli.problems import complain, dataset_command
from utils.data.folders import foregrounds
from utils.images.names import (
    Lookup,
    composite_names,
    last_part,
    parse_composite,
    read_names,
    write_names,
)

log = logging.getLogger(__name__)

TRAIN_NAMES = "train_names.txt"
VALID_NAMES = "valid_names.txt"


class Split(NamedTuple):
    """Which foregrounds train and which validate, {NAME: composites}, in the order of the set.

    The composites are numbers k in order, of the composites NAME_k; None is the foreground over any
    background. By foreground all are None and no NAME is on both sides; by composite none is None
    and a NAME may be on both sides, but with different composites.
    """

    train: dict[str, list[int] | None]
    valid: dict[str, list[int] | None]


def split(names: Iterable[str], valid_share: float, seed: int) -> tuple[list[str], list[str]]:
    """Split names; the same for the same names and seed, in whatever order they come.

    Args:
        names: of foregrounds, or of composites.
        valid_share: more than 0, less than 1; rounded to whole names, at least one on either side.

    Returns:
        (train, valid), each sorted.

    Raises:
        InputError: fewer than two names, a share out of range.
    """
    names = sorted(set(names))
    if not 0 < valid_share < 1:
        raise InputError(f"valid share {valid_share}: choose one above 0 and below 1, such as 0.1")
    if seed < 0:
        raise InputError(f"seed {seed}: choose 0 or more")
    if len(names) < 2:
        raise InputError(f"a split needs at least 2 foregrounds, there are {len(names)}; add some")
    count = min(max(round(valid_share * len(names)), 1), len(names) - 1)
    order = np.random.default_rng(seed).permutation(len(names))
    valid = {names[index] for index in order[:count]}
    return [name for name in names if name not in valid], sorted(valid)


def write_split(
    root: Path | str, valid_share: float, seed: int, per_foreground: int | None = None
) -> Split:
    """Split the training set of `root` and save train_names.txt and valid_names.txt there.

    Other lists of these names that were there stay as train_names.before.txt and so on.

    Args:
        per_foreground: None splits by foreground. A number n splits the composites NAME_0 to
            NAME_(n - 1) of all foregrounds, as the published code does: nearly every foreground
            is then on both sides, and validation rewards having learnt it by heart.

    Raises:
        InputError: as `split` and `foregrounds`; the lists cannot be saved; another process writes
            into the data set.
    """
    root = Path(root)
    ours = lines = [one.name for one in foregrounds(root, "train")]
    if per_foreground is not None:
        lines = [name for one in ours for name in composite_names(one, per_foreground)]
    try:
        lists = split(lines, valid_share, seed)
    except InputError as error:
        raise InputError(f"{root / 'train' / 'fg'}: {error}") from None
    with folder_lock(root, "splitting the data set"):
        for file, names in zip((TRAIN_NAMES, VALID_NAMES), lists, strict=True):
            _keep_other(root / file, names)
            write_names(root / file, names)
    return read_split(root, ours)


def _keep_other(path: Path, names: Sequence[str]) -> None:
    """Leave a list that will be replaced by other names beside it: it may be made by hand."""
    if path.is_file() and path.read_bytes() != "".join(f"{name}\n" for name in names).encode():
        kept = path.with_name(f"{path.stem}.before.txt")
        path.replace(kept)
        log.info("%s: another list was there, which is %s now", path, kept.name)


def read_split(
    root: Path | str, names: Sequence[str] | None = None, problems: list[str] | None = None
) -> Split:
    """The split in train_names.txt and valid_names.txt of `root`.

    Args:
        names: of the training foregrounds; None looks for them.
        problems: where to put all that is wrong, instead of raising the first of it.

    Raises:
        InputError: a list is missing or empty, names what is not there, or shares an entry with the
            other list.
    """
    root = Path(root)
    if names is None:
        names = [one.name for one in foregrounds(root, "train")]
    lookup, wrong = Lookup(names), []
    lists = {file: _lines(root / file, wrong) for file in (TRAIN_NAMES, VALID_NAMES)}
    owners = [lookup.owner(line) for lines in lists.values() for line in lines]
    by_composite = any(owner and owner[1] is not None for owner in owners)
    again = dataset_command("data_gen.py", root, *(("--by", "composite") if by_composite else ()))
    what = "is no composite NAME_k of a foreground" if by_composite else "is not"
    entries: list[set[tuple[str, int | None]]] = []
    for file, lines in lists.items():
        meant = [_meant(line, lookup, by_composite) for line in lines]
        wrong += [
            f"{root / file}: lists {line}, which {what} in {root / 'train/fg'}; run {again} again"
            for line, entry in zip(lines, meant, strict=True)
            if entry is None
        ]
        entries.append({entry for entry in meant if entry})
    wrong += [
        f"{root / VALID_NAMES}: {name if k is None else f'{name}_{k}'} is in {TRAIN_NAMES} too; "
        f"run {again} again"
        for name, k in sorted(entries[0] & entries[1])
    ]
    complain(wrong, problems)
    return Split(*(_chosen(part, names, by_composite) for part in entries))


def _meant(line: str, lookup: Lookup, by_composite: bool) -> tuple[str, int | None] | None:
    """The foreground, or the composite, that a line means; None where it means none."""
    # A foreground may be called as a composite of another is: cat_1.
    text, k = (parse_composite(line) or ("", 0)) if by_composite else (line, None)
    name = lookup.find(text)
    return None if name is None else (name, k)


def _chosen(
    entries: set[tuple[str, int | None]], names: Sequence[str], by_composite: bool
) -> dict[str, list[int] | None]:
    """The entries by name, in the order of the names."""
    composites: dict[str, list[int | None]] = defaultdict(list)
    for name, k in sorted(entries):
        composites[name].append(k)
    return {n: composites[n] if by_composite else None for n in names if n in composites}


def _lines(path: Path, problems: list[str]) -> list[str]:
    if not path.exists():
        again = dataset_command("data_gen.py", path.parent)
        problems.append(f"{path}: no such file; run {again} first")
        return []
    return [last_part(line) for line in read_names(path, problems)]
