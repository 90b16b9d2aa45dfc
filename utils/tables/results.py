"""What a table knows: means and spreads over the seeds, and what went wrong."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from models.files.atomic import atomic
from utils.score.scores import METRICS
from utils.tables.options import PublishedRow
from utils.tables.rows import BETWEEN, Table
from utils.tables.steps import ERROR, LATENCY, read_json, row_runs, teacher_runs

SIDE = 224  # of the picture for which MACs are told
COSTS = ("parameters", "MACs", "milliseconds")
VALUES = (*METRICS, *COSTS)


@dataclass
class Line:
    """A row of the table, over its seeds.

    Args:
        arms: of the axes that are columns.
        seeds: how many there will be.
        values: by seed, what was measured; of seeds that are done.
        errors: by seed, what went wrong.
    """

    name: str
    arms: tuple[str, ...]
    seeds: int
    values: dict[int | None, dict[str, float | None]] = field(default_factory=dict)
    errors: dict[int | None, str] = field(default_factory=dict)
    published: PublishedRow | None = None

    def mean(self, value: str) -> float | None:
        """Over the seeds that are done; None where none is."""
        known = self._known(value)
        return fmean(known) if known else None

    def spread(self, value: str) -> float | None:
        """The standard deviation over the seeds, of n - 1; None under two seeds."""
        known = self._known(value)
        return stdev(known) if len(known) > 1 else None

    def _known(self, value: str) -> list[float]:
        values = (one.get(value) for one in self.values.values())
        return [one for one in values if one is not None]


class Time(NamedTuple):
    """A network's time and its teacher's, measured in turns; `values` is where it belongs."""

    own: float
    teacher: float
    network: Path  # the teacher's file
    values: dict[str, float | None]


def collect(table: Table, test: str) -> tuple[list[Line], Mapping[str, float]]:
    """The lines of a table, teachers first, and the floor of that test; of what is there."""
    teachers = teacher_runs(table)
    blank = ("",) * len(table.axes)
    lines = {("", name): Line(name, blank, 1) for name in teachers}
    places = [list(arms) for arms in table.config.axes.values()]
    # `rows` may have made what belongs together in several blocks.
    for row in sorted(table.rows, key=lambda row: [*map(list.index, places, row.arms.values())]):
        arms = tuple(row.arms[axis] for axis in table.axes)
        lines["row", row.name] = Line(row.name, arms, len(table.config.seeds))
    floor: Mapping[str, float] = {}
    times = []
    for kind, runs in (("", teachers.values()), ("row", row_runs(table, teachers))):
        for run in runs:
            line = lines[kind, run.name]
            if (run.folder / ERROR).is_file():
                line.errors[run.seed] = (run.folder / ERROR).read_text(encoding="utf-8").strip()
                continue
            scores = read_json(run.folder / "tests" / f"{test}.json")
            if METRICS[0] not in scores:
                continue
            floor = scores.get("floor", floor)
            values = {name: scores.get(name) for name in (*METRICS, "parameters")}
            line.values[run.seed] = values | {"MACs": scores.get(f"MACs_{SIDE}")}
            time = read_json(run.folder / LATENCY)
            if {"network", "teacher"} <= time.keys():
                pair = time["network"], time["teacher"]
                times.append(Time(*pair, run.teacher, line.values[run.seed]))
    add_times(times, {run.network: lines["", name] for name, run in teachers.items()})
    return [*lines.values(), *_only_published(table, lines)], floor


def write_csv(path: Path, table: Table, lines: Sequence[Line]) -> None:
    """A line for each row: means, spreads, and what is published."""
    heads = [*(f"{v}{end}" for v in VALUES for end in ("", " spread")), "error"]
    published = [f"published {v}" for v in PublishedRow.model_fields]
    rows = [["row", *table.axes, "seeds", *heads, *published]]
    for line in lines:
        values = [one(value) for value in VALUES for one in (line.mean, line.spread)]
        errors = "; ".join(dict.fromkeys(line.errors.values()))
        beside = (line.published or PublishedRow()).model_dump().values()
        rows.append([line.name, *line.arms, len(line.values), *values, errors, *beside])
    _write(path, rows)


def write_seeds(path: Path, lines: Sequence[Line]) -> None:
    """A line for each seed of each row."""
    rows = [["row", "seed", *VALUES]]
    for line in lines:
        for seed, values in line.values.items():
            rows.append([line.name, seed, *(values.get(value) for value in VALUES)])
    _write(path, rows)


def _write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    with atomic(path) as temporary:
        temporary.write_text(buffer.getvalue(), encoding="utf-8")


def add_times(times: Sequence[Time], teachers: Mapping[Path, Line]) -> None:
    """All networks of a teacher are told for one time of that, the shortest.

    Each was measured in turns with its teacher: what else the machine did then falls on both, and
    so drops out.
    """
    for network, line in teachers.items():
        own = [time for time in times if time.network == network]
        if not own:
            continue
        reference = min(time.teacher for time in own)
        for values in line.values.values():
            values["milliseconds"] = reference
        for time in own:
            time.values["milliseconds"] = time.own / time.teacher * reference


def _only_published(table: Table, lines: Mapping[tuple[str, str], Line]) -> list[Line]:
    """Lines of published rows that the table does not make; the others get their values."""
    known = table.config.published.rows if table.config.published else {}
    for (_, name), line in lines.items():
        line.published = known.get(name)
    others = []
    for name in known.keys() - {name for _, name in lines}:
        arms = name.split(BETWEEN)
        arms = arms if len(arms) == len(table.axes) else [""] * len(table.axes)
        others.append(Line(name, tuple(arms), 0, published=known[name]))
    return sorted(others, key=lambda line: list(known).index(line.name))
