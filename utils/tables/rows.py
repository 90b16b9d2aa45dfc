"""Read a table's file: its rows, and the config of each training and test."""

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
EXTENDS = "extends"
OWN = {  # options that are no arm's
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
    """A table that has been read.

    Args:
        name: of its file, and of its folder in result/tables.
        base: the options that all rows share.
    """

    name: str
    config: TableConfig
    base: dict[str, Any]
    rows: tuple[Row, ...]

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
    configs.override(TableConfig, content, overrides)
    table = configs.validated(TableConfig, content, path, overrides)
    base = merged(configs.read(Path(table.config)), table.options)
    made = Table(path.stem, table, base, tuple(_rows(table, path)))
    _check(made, "options", table.options, f"{path}, options")
    for name, options in table.teachers.items():
        _check(made, "teacher", options, f"{path}, teacher {name}")
    for row in made.rows:
        for stage, options in (("pruning", row.pruning), ("training", row.training)):
            _check(made, stage, options, f"{path}, {stage} of {row.name}")
    _check_published(table, path)
    return made


def matching(table: Table, patterns: Sequence[str]) -> list[Row]:
    """The rows whose name is like one of the patterns, `half / * / none`; all where there is none.

    Raises:
        InputError: no row is like a pattern.
    """
    found: dict[str, Row] = {}
    for pattern in patterns or ("*",):
        like = [row for row in table.rows if fnmatchcase(_tight(row.name), _tight(pattern))]
        if not like:
            names = "; ".join(row.name for row in table.rows)
            raise InputError(f"--rows {pattern!r}: no row is like that; there are {names}")
        found |= {row.name: row for row in like}
    return [row for row in table.rows if row.name in found]


def _tight(name: str) -> str:
    return "/".join(part.strip() for part in name.split("/"))


def merged(content: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """`more` over `content`, key by key in sections of both."""
    result = dict(content)
    for key, value in more.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = merged(old, value) if both else value
    return result


def _read(path: Path) -> dict[str, Any]:
    content = _placed(path)
    if EXTENDS in content:
        other = path.parent / str(content.pop(EXTENDS))
        under = _placed(other)
        if EXTENDS in under:
            raise InputError(f"{path}: extends {other}, which extends another; name that one")
        if "teachers" in content:
            under.pop("teachers", None)
        content = merged(under, content)
    return content


def _placed(path: Path) -> dict[str, Any]:
    """What a file holds; the path of its config as it is seen from here."""
    content = configs.read(path)
    if isinstance(content.get("config"), str):
        content["config"] = str(path.parent / content["config"])
    return content


def _rows(table: TableConfig, path: Path) -> list[Row]:
    axes = table.axes
    for axis, arm in table.best.items():
        _require_arms(axes, axis, (arm,), f"{path}: best")
    rows: dict[tuple[str, ...], Row] = {}
    for block in table.rows:
        chosen = dict(axes)
        for axis, arms in block.items():
            if CHOSEN in arms and axis in table.best:
                arms = tuple(table.best[axis] if arm == CHOSEN else arm for arm in arms)
            _require_arms(axes, axis, arms, f"{path}: rows")
            chosen[axis] = arms
        for names in product(*chosen.values()):
            rows.setdefault(names, _row(table, dict(zip(axes, names, strict=True))))
    return list(rows.values())


def _row(table: TableConfig, arms: dict[str, str]) -> Row:
    stages = []
    for of_stage in (table.pruning, table.training):
        options: dict[str, Any] = {}
        for axis, known in of_stage.items():
            options = merged(options, known[arms[axis]])
        stages.append(options)
    shown = [arm for axis, arm in arms.items() if len(table.axes[axis]) > 1]
    teacher = arms.get("teacher") if len(table.teachers) > 1 else next(iter(table.teachers))
    return Row(
        arms, teacher, *stages, name=BETWEEN.join(shown or list(arms.values()) or ["student"])
    )


def _require_arms(axes: dict, axis: str, arms: Sequence[str], place: str) -> None:
    if axis not in axes:
        raise InputError(f"{place}: no axis {axis}; there are {', '.join(axes) or 'none'}")
    for arm in arms:
        if arm not in axes[axis]:
            raise InputError(f"{place}: {axis} has no arm {arm}; there are {', '.join(axes[axis])}")


def _check(table: Table, stage: str, options: dict[str, Any], place: str) -> None:
    for key in OWN[stage]:
        if key in options:
            raise InputError(f"{place}: {key}: the table sets it; leave it out")
    configs.validated(Config, table.options(options), place)


def _check_published(table: TableConfig, path: Path) -> None:
    """Refuse values of rows that the table's arms cannot make: a name that is mistyped."""
    shown = [arms for arms in table.axes.values() if len(arms) > 1]
    for name in table.published.rows if table.published else ():
        parts = name.split(BETWEEN)
        whole = len(parts) == len(shown) and all(map(lambda one, arms: one in arms, parts, shown))
        if name not in table.teachers and shown and not whole:
            known = BETWEEN.join("|".join(arms) for arms in shown)
            raise InputError(f"{path}: published.rows: no row {name}; write {known}, or a teacher")
