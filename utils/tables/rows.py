"""Read a table's file: its rows, and the config of each training and test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

from models.errors import InputError
from utils import config as configs
from utils.config.options import RESULT, Config
from utils.tables.options import CHOSEN, TableConfig

BETWEEN = " / "  # the arms of a row's name
LARGEST = 10_000  # rows
SET_BY_TABLE = {  # options that are no arm's
    **dict.fromkeys(("options", "teacher"), ("save_dir", "seed")),
    **dict.fromkeys(("pruning", "training"), ("save_dir", "seed", "teacher")),
}


@dataclass(frozen=True)
class Row:
    """One arm of each axis; `pruning` and `training` hold the options of its two stages."""

    arms: dict[str, str]
    teacher: str
    pruning: dict[str, Any]
    training: dict[str, Any]
    name: str


@dataclass(frozen=True)
class Table:
    """A table that has been read; `base` holds the options that all rows share."""

    file: Path
    config: TableConfig
    base: dict[str, Any]
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Of its file, and of its folder in result/tables."""
        return self.file.stem

    @property
    def folder(self) -> Path:
        return RESULT / "tables" / self.name

    @property
    def axes(self) -> list[str]:
        """The axes whose arms are more than one: the first columns."""
        return [axis for axis, arms in self.config.axes.items() if len(arms) > 1]

    def options(self, *more: dict[str, Any], **top: Any) -> dict[str, Any]:
        """The content of a config: what all share, `more` over it, and keys of its top."""
        content = self.base
        for one in more:
            content = merged(content, one)
        return content | top


def load(path: Path | str, overrides: Sequence[str] = ()) -> Table:
    """The table of a YAML file, with `key.key=value` overrides of its keys.

    `extends: FILE` takes what the file leaves out from another table, key by key; its own
    `teachers` stand in place of those.

    Raises:
        InputError: no such file, no YAML, an unknown key, an arm or an axis that is not there, or
            options of an arm that no config can have.
    """
    path = Path(path)
    content = _read(path)
    if "extends" in content:
        other = path.parent / Path(str(content.pop("extends"))).expanduser()
        extended = _read(other)
        if "extends" in extended:
            raise InputError(f"{path}: extends {other}, which extends another; name that one")
        if "teachers" in content:
            extended.pop("teachers", None)
        content = merged(extended, content)
    configs.override(TableConfig, content, overrides)
    config = configs.validated(TableConfig, content, path, overrides)
    base = merged(configs.read(Path(config.config)), config.options)
    table = Table(path, config, base, tuple(_rows(config, path)))
    _check(table, "options", config.options, f"{path}, options")
    for name, options in config.teachers.items():
        _check(table, "teacher", options, f"{path}, teacher {name}")
    for row in table.rows:
        for stage in ("pruning", "training"):
            _check(table, stage, getattr(row, stage), f"{path}, {stage} of {row.name}")
    return table


def matching(table: Table, patterns: Sequence[str]) -> list[Row]:
    """The rows whose name is like one of the patterns, `half / * / none`; all where there is none.

    Raises:
        InputError: no row is like a pattern.
    """
    names: set[str] = set()
    for pattern in patterns or ("*",):
        like = {row.name for row in table.rows if fnmatchcase(_tight(row.name), _tight(pattern))}
        if not like:
            known = "; ".join(row.name for row in table.rows)
            raise InputError(f"--rows {pattern!r}: no row is like that; there are {known}")
        names |= like
    return [row for row in table.rows if row.name in names]


def merged(content: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """`more` over `content`, key by key in sections of both."""
    result = dict(content)
    for key, value in more.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = merged(old, value) if both else value
    return result


def _tight(name: str) -> str:
    return "/".join(part.strip() for part in name.split("/"))


def _read(path: Path) -> dict[str, Any]:
    """What a file holds; the path of its config as it is seen from here."""
    content = configs.read(path)
    if isinstance(content.get("config"), str):
        content["config"] = str(path.parent / Path(content["config"]).expanduser())
    return content


def _rows(config: TableConfig, path: Path) -> list[Row]:
    for axis, arm in config.best.items():
        _require_arms(config.axes, axis, (arm,), f"{path}: best")
    rows: dict[tuple[str, ...], Row] = {}
    for block in config.rows:
        chosen = dict(config.axes)
        for axis, arms in block.items():
            if axis in config.best:
                arms = tuple(config.best[axis] if arm == CHOSEN else arm for arm in arms)
            _require_arms(config.axes, axis, arms, f"{path}: rows")
            chosen[axis] = arms
        count = math.prod(map(len, chosen.values()))
        if count > LARGEST:
            raise InputError(f"{path}: rows: {count} rows, and {LARGEST} are the most; name arms")
        for names in product(*chosen.values()):
            arms = dict(zip(config.axes, names, strict=True))
            rows.setdefault(names, _row(config, arms))
    return list(rows.values())


def _row(config: TableConfig, arms: dict[str, str]) -> Row:
    stages = []
    for axes in (config.pruning, config.training):
        options: dict[str, Any] = {}
        for axis, known in axes.items():
            options = merged(options, known[arms[axis]])
        stages.append(options)
    shown = [arm for axis, arm in arms.items() if len(config.axes[axis]) > 1]
    teacher = arms["teacher"] if len(config.teachers) > 1 else next(iter(config.teachers))
    name = BETWEEN.join(shown or list(arms.values()) or ["student"])
    return Row(arms, teacher, *stages, name)


def _require_arms(axes: dict, axis: str, arms: Sequence[str], place: str) -> None:
    if axis not in axes:
        raise InputError(f"{place}: no axis {axis}; there are {', '.join(axes) or 'none'}")
    for arm in arms:
        if arm not in axes[axis]:
            raise InputError(f"{place}: {axis} has no arm {arm}; there are {', '.join(axes[axis])}")


def _check(table: Table, stage: str, options: dict[str, Any], place: str) -> None:
    for key in SET_BY_TABLE[stage]:
        if key in options:
            raise InputError(f"{place}: {key}: the table sets it; leave it out")
    configs.validated(Config, table.options(options), place)
