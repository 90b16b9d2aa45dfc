"""Split the training foregrounds into train and valid, never the composites of one foreground."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from models.atomic import atomic
from models.errors import InputError
from utils.data.pairs import foregrounds, read_names

TRAIN_NAMES = "train_names.txt"
VALID_NAMES = "valid_names.txt"


def split(names: Iterable[str], valid_share: float, seed: int) -> tuple[list[str], list[str]]:
    """Split foreground names; the same for the same names and seed, in whatever order they come.

    Args:
        valid_share: more than 0, less than 1; rounded to whole foregrounds, at least one on
            either side.

    Returns:
        (train, valid), each sorted.

    Raises:
        InputError: fewer than two foregrounds, a share out of range.
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


def write_split(root: Path | str, valid_share: float, seed: int) -> tuple[list[str], list[str]]:
    """Split the training foregrounds of `root` and save train_names.txt and valid_names.txt there.

    Returns:
        (train, valid), the names.

    Raises:
        InputError: as `split` and `foregrounds`, or the lists cannot be saved.
    """
    root = Path(root)
    names = [one.name for one in foregrounds(root, "train")]
    try:
        train, valid = split(names, valid_share, seed)
    except InputError as error:
        raise InputError(f"{root / 'train' / 'fg'}: {error}") from None
    for name, names in ((TRAIN_NAMES, train), (VALID_NAMES, valid)):
        with atomic(root / name) as temporary:
            temporary.write_text("".join(f"{one}\n" for one in names), encoding="utf-8")
    return train, valid


def read_split(root: Path | str) -> tuple[list[str], list[str]]:
    """The names in train_names.txt and valid_names.txt of `root`, (train, valid).

    Raises:
        InputError: a list is missing or empty, names a foreground that is not there, or shares one
            with the other list.
    """
    root = Path(root)
    train, valid = (_read_list(root / name) for name in (TRAIN_NAMES, VALID_NAMES))
    present = {one.name for one in foregrounds(root, "train")}
    for file, names in ((TRAIN_NAMES, train), (VALID_NAMES, valid)):
        for name in names:
            if name not in present:
                raise InputError(
                    f"{root / file}: lists {name}, which is not in {root / 'train' / 'fg'}; "
                    f"run {_command(root)} again"
                )
    shared = sorted(set(train) & set(valid))
    if shared:
        raise InputError(
            f"{root / VALID_NAMES}: {shared[0]} is in {TRAIN_NAMES} too; run {_command(root)} again"
        )
    return train, valid


def _read_list(path: Path) -> list[str]:
    if not path.exists():
        raise InputError(f"{path}: no such file; run {_command(path.parent)} first")
    try:
        return read_names(path)
    except InputError:
        raise InputError(f"{path}: the split is empty; run {_command(path.parent)} again") from None


def _command(root: Path) -> str:
    return f"python data_gen.py --dataset {root.name}"
