"""Report a table: Markdown, CSV and plots of what is known so far, and the state of its rows."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.files import folder_lock
from utils.cli.table import table as aligned
from utils.score.scores import METRICS
from utils.tables.plot import Point, write_dots, write_plot
from utils.tables.results import Line, collect, write_csv, write_seeds
from utils.tables.rows import Table, matching
from utils.tables.steps import ERROR, Run, row_runs, teacher_runs, with_needs

PLOTS = {
    "MACs": ("MACs at 224, G", 1e9),
    "parameters": ("parameters, M", 1e6),
    "milliseconds": ("ms at 320", 1.0),
}
COLUMNS = {
    **{metric: metric for metric in METRICS},
    **{"parameters": "parameters", "MACs": "MACs 224", "milliseconds": "ms 320"},
}
UNITS = {"parameters": (1e6, " M"), "MACs": (1e9, " G")}


def write(table: Table) -> list[Path]:
    """Write what is there of a table into its folder; the Markdown files, one for each test.

    Raises:
        InputError: a file cannot be written.
    """
    with folder_lock(table.folder, "writing the table", wait=True):  # or an older state may win
        return [_write_test(table, test) for test in table.config.tests]


def _write_test(table: Table, test: str) -> Path:
    several = len(table.config.tests) > 1
    stem = f"{table.name}-{test}" if several else table.name
    lines, floor = collect(table, test)
    path = table.folder / f"{stem}.md"
    with atomic(path) as temporary:
        temporary.write_text(markdown(table, lines, floor), encoding="utf-8")
    write_csv(path.with_suffix(".csv"), table, lines)
    write_seeds(table.folder / f"{stem}-seeds.csv", lines)
    for value, (head, unit) in PLOTS.items():
        points = _points(table, lines, value, unit)
        if points:
            write_plot(table.folder / f"{stem}-{value}.png", points, head, "SAD")
    if points := _points(table, lines, "SAD", 1.0):
        write_dots(table.folder / f"{stem}-SAD.png", points, "SAD")
    return path


def states(table: Table, patterns: Sequence[str] = ()) -> str:
    """A line for each teacher, pruning and row with its seed: its state, its folder.

    Args:
        patterns: of the names of rows; the others are left out.
    """
    teachers = teacher_runs(table)
    names = {row.name for row in matching(table, patterns)}
    rows = [run for run in row_runs(table, teachers) if run.name in names]
    cells = [
        (run.name, "" if run.seed is None else run.seed, _state(run), run.folder)
        for run in with_needs([*teachers.values(), *rows])
    ]
    return aligned(("row", "seed", "state", "folder"), cells)


def _state(run: Run) -> str:
    try:
        done = [step.done() for step in run.steps]
    except InputError:
        return "other options"
    if run.taken():
        return "running"
    if (run.folder / ERROR).is_file():
        return "failed"
    if all(done):
        return "done"
    begun = any(done) or any(one.last and (one.folder / one.last).exists() for one in run.steps)
    return "begun" if begun else "to do"


def markdown(table: Table, lines: Sequence[Line], floor: Mapping[str, float]) -> str:
    """The table, what it means, and the errors of rows."""
    published = table.config.published
    shown: set[str] = set()
    if published:
        shown.update(*(row.model_dump(exclude_none=True) for row in published.rows.values()))
    heads = [*(table.axes or ["row"]), "seeds"]
    first = ["the trimap alone", *[""] * (len(heads) - 1)]
    for value, head in COLUMNS.items():
        heads += [head, *([f"published {value}"] if value in shown else ())]
        first += [_number(value, floor.get(value)), *([""] if value in shown else ())]
    rows = [first] if floor else []
    rows += [_cells(line, shown, bool(table.axes)) for line in lines]
    text = [f"# {table.name}", "", aligned(heads, rows, words=len(table.axes) or 1), ""]
    if len(table.config.seeds) > 1:
        text.append("± is the standard deviation over the seeds that are done.")
    if published:
        text.append(f"Published: {published.source}, on {published.of}.")
    errors = [(line, seed, error) for line in lines for seed, error in line.errors.items()]
    if errors:
        text += [*([""] if text[-1] else []), "Went wrong:", ""]
    for line, seed, error in errors:
        text.append(f"- {line.name}{'' if seed is None else f', seed {seed}'}: {error}")
    return "\n".join(text).rstrip() + "\n"


def _cells(line: Line, shown: Collection[str], has_axes: bool) -> list[str]:
    by_arms = any(line.arms) and has_axes
    cells = list(line.arms) if by_arms else [line.name, *[""] * (len(line.arms) - 1)]
    seeds = f"{len(line.values)} of {line.seeds}" if line.seeds else ""
    cells.append(f"{seeds}, {len(line.errors)} failed" if line.errors else seeds)
    for value in COLUMNS:
        cells.append(_number(value, line.mean(value), line.spread(value)))
        if value in shown:
            cells.append(_number(value, getattr(line.published, value, None)))
    return cells


def _number(value: str, mean: float | None, spread: float | None = None) -> str:
    """A mean and its spread, in one unit and with the same decimals."""
    if mean is None:
        return ""
    unit, letter = UNITS.get(value, (1.0, ""))
    decimals = 4 if value == "MSE" else 2
    if value in UNITS and mean:  # three digits
        decimals = max(0, 2 - math.floor(math.log10(mean / unit)))
    text = f"{mean / unit:.{decimals}f}"
    if spread and round(spread / unit, decimals):
        text += f" ± {spread / unit:.{decimals}f}"
    return f"{text}{letter}"


def _points(table: Table, lines: Sequence[Line], value: str, unit: float) -> list[Point]:
    points = []
    published = table.config.published
    same = published and table.base.get("data", {}).get("dataset") == published.of
    columns = list(zip(*(line.arms for line in lines if any(line.arms)), strict=True))
    differ = [index for index, arms in enumerate(columns) if len(set(arms)) > 1]
    for line in lines:
        cost, error = line.mean(value), line.mean("SAD")
        group = line.arms[differ[-1]] if differ else ""
        if cost is not None and error is not None:
            points.append(Point(line.name, group, cost / unit, error, line.spread("SAD") or 0.0))
        beside = getattr(line.published, value, None), getattr(line.published, "SAD", None)
        if same and None not in beside:
            name = f"{line.name}, published"
            points.append(Point(name, group, beside[0] / unit, beside[1], 0.0, hollow=True))
    return points
