"""What a table knows: means and spreads over the seeds, and what went wrong."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from models.files.atomic import atomic
from utils.score.scores import METRICS
from utils.tables.jobs import Run, row_runs, teacher_runs
from utils.tables.options import PublishedRow
from utils.tables.rows import Table
from utils.tables.running import ERROR, LATENCY

SIDE = 224  # of the picture for which MACs are told
COSTS = ("parameters", "MACs", "milliseconds")
VALUES = (*METRICS, *COSTS)


@dataclass
class Line:
    """A row of the table, over its seeds.

    Args:
        arms: of the axes that are columns.
        values: by seed, what was measured; of seeds that are done.
        errors: by seed, what went wrong.
    """

    name: str
    arms: tuple[str, ...]
    wanted: int
    values: dict[int | None, dict[str, float]] = field(default_factory=dict)
    errors: dict[int | None, str] = field(default_factory=dict)
    published: PublishedRow | None = None

    def mean(self, value: str) -> float | None:
        """Over the seeds that are done; None where none is."""
        found = self._found(value)
        return fmean(found) if found else None

    def spread(self, value: str) -> float | None:
        """The standard deviation over the seeds, of n - 1; None under two seeds."""
        found = self._found(value)
        return stdev(found) if len(found) > 1 else None

    def _found(self, value: str) -> list[float]:
        found = [one.get(value) for one in self.values.values()]
        return [one for one in found if one is not None]


def collect(table: Table, test: str) -> tuple[list[Line], Mapping[str, float]]:
    """The lines of a table, teachers first, and the floor of that test; of what is there."""
    teachers = teacher_runs(table)
    known = table.config.published.rows if table.config.published else {}
    blank = tuple("" for _ in table.axes)
    lines = {("", name): Line(name, blank, 1) for name in teachers}
    places = [list(arms) for arms in table.config.axes.values()]
    for row in sorted(table.rows, key=lambda row: _places(row.arms.values(), places)):
        arms = tuple(row.arms[axis] for axis in table.axes)
        lines["row", row.name] = Line(row.name, arms, len(table.config.seeds))
    floor: Mapping[str, float] = {}
    times: dict[tuple[str, str], dict[int | None, tuple[float, float, Path]]] = {}
    for kind, runs in (("", teachers.values()), ("row", row_runs(table, teachers))):
        for run in runs:
            line = lines[kind, run.name]
            if (run.folder / ERROR).is_file():
                line.errors[run.seed] = (run.folder / ERROR).read_text(encoding="utf-8").strip()
                continue
            scores = _json(run.folder / "tests" / f"{test}.json")
            if not scores:
                continue
            floor = scores.get("floor", floor)
            line.values[run.seed] = {name: scores[name] for name in METRICS} | {
                "parameters": scores["parameters"],
                "MACs": scores[f"MACs_{SIDE}"],
            }
            if time := _json(run.folder / LATENCY):
                found = times.setdefault((kind, run.name), {})
                found[run.seed] = (time["network"], time["teacher"], run.teacher)
    _add_times(lines, times, teachers)
    for (_, name), line in lines.items():
        line.published = known.get(name)
    others = [name for name in known if name not in {line.name for line in lines.values()}]
    extra = [_only_published(name, known[name], table) for name in others]
    return [*lines.values(), *extra], floor


def write_csv(path: Path, table: Table, lines: Sequence[Line]) -> None:
    """A line for each row: means, spreads, and what is published."""
    heads = [*(f"{v}{end}" for v in VALUES for end in ("", " spread")), "error"]
    published = [f"published {v}" for v in PublishedRow.model_fields]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["row", *table.axes, "seeds", *heads, *published])
    for line in lines:
        values = [one(value) for value in VALUES for one in (line.mean, line.spread)]
        told = "; ".join(dict.fromkeys(line.errors.values()))
        beside = (line.published or PublishedRow()).model_dump().values()
        writer.writerow([line.name, *line.arms, len(line.values), *values, told, *beside])
    with atomic(path) as temporary:
        temporary.write_text(buffer.getvalue(), encoding="utf-8")


def write_seeds(path: Path, lines: Sequence[Line]) -> None:
    """A line for each seed of each row."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["row", "seed", *VALUES])
    for line in lines:
        for seed, values in line.values.items():
            writer.writerow([line.name, seed, *(values.get(value) for value in VALUES)])
    with atomic(path) as temporary:
        temporary.write_text(buffer.getvalue(), encoding="utf-8")


def _places(arms: Iterable[str], places: Sequence[Sequence[str]]) -> list[int]:
    """Where a row stands, since `rows` may have made what belongs together in several blocks."""
    return [known.index(arm) for arm, known in zip(arms, places, strict=True)]


def _add_times(lines: Mapping, times: Mapping, teachers: Mapping[str, Run]) -> None:
    """Each time was measured in turns with its teacher's; all are told for one time of that.

    What else the machine did then falls on both, and so drops out.
    """
    for name, run in teachers.items():
        pairs = [pair for of in times.values() for pair in of.values() if pair[2] == run.network]
        if not pairs:
            continue
        reference = min(teacher for _, teacher, _ in pairs)
        for value in lines["", name].values.values():
            value["milliseconds"] = reference
        for key, of in times.items():
            for seed, (own, teacher, network) in of.items():
                if network == run.network:
                    lines[key].values[seed]["milliseconds"] = own / teacher * reference


def _only_published(name: str, row: PublishedRow, table: Table) -> Line:
    arms = name.split(" / ")
    arms = arms if len(arms) == len(table.axes) else [""] * len(table.axes)
    return Line(name, tuple(arms), 0, published=row)


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
