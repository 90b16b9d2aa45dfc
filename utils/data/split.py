"""Split the training set into train and valid: by foreground, or by composite as published."""

import logging
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.advice import dataset_command
from utils.cli.problems import complain
from utils.data.folders import foregrounds
from utils.disk.lock import folder_lock
from utils.images.names import (
    EMPTY,
    composite_names,
    parse_composite,
    read_names,
    without_suffix,
    write_names,
)
from utils.images.pairing import Lookup, last_part

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
        with atomic(kept) as temporary:
            shutil.copyfile(path, temporary)
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
    present, lookup = set(names), Lookup(names)
    wrong: list[str] = []
    lists = {
        file: [_meant(line, present, lookup) for line in _lines(root / file, wrong)]
        for file in (TRAIN_NAMES, VALID_NAMES)
    }
    train, valid = lists.values()
    # A foreground may be called as a composite of another is: cat_1.
    by_composite = any(
        line not in present and parse_composite(line, present) for line in train + valid
    )
    again = dataset_command("data_gen.py", root, *(("--by", "composite") if by_composite else ()))
    what = "is no composite NAME_k of a foreground" if by_composite else "is not"
    wrong += [
        f"{root / file}: lists {line}, which {what} in {root / 'train' / 'fg'}; run {again} again"
        for file, lines in lists.items()
        for line in lines
        if not (parse_composite(line, present) if by_composite else line in present)
    ]
    wrong += [
        f"{root / VALID_NAMES}: {line} is in {TRAIN_NAMES} too; run {again} again"
        for line in sorted(set(train) & set(valid))
    ]
    complain(wrong, problems)
    return Split(*(_chosen(lines, names, by_composite) for lines in (train, valid)))


def _chosen(
    lines: list[str], names: Sequence[str], by_composite: bool
) -> dict[str, list[int] | None]:
    """Of the names those in the lines, with their composites."""
    if not by_composite:
        chosen = set(lines)
        return {name: None for name in names if name in chosen}
    composites: dict[str, set[int]] = defaultdict(set)
    present = set(names)
    for line in lines:
        if parsed := parse_composite(line, present):
            composites[parsed[0]].add(parsed[1])
    return {name: sorted(composites[name]) for name in names if name in composites}


def _meant(line: str, present: set[str], lookup: Lookup) -> str:
    """The name that a line of a list written by hand means: folders before it, other blanks."""
    bare = last_part(line)
    if line in present or parse_composite(line, present) or without_suffix(bare) != bare:
        return line
    name, number = lookup.owner(bare) or (line, None)
    return name if number is None else f"{name}_{number}"


def _lines(path: Path, problems: list[str]) -> list[str]:
    again = dataset_command("data_gen.py", path.parent)
    if not path.exists():
        problems.append(f"{path}: no such file; run {again} first")
        return []
    wrong: list[str] = []
    names = read_names(path, wrong)
    problems += [
        f"{path}: the split is empty; run {again} again" if EMPTY in one else one for one in wrong
    ]
    return names
