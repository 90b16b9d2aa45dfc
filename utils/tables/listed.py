"""The rows of a table and what is done of them."""

from collections.abc import Sequence

from models.errors import InputError
from utils.cli.table import table as aligned
from utils.tables.jobs import Run, row_runs, teacher_runs
from utils.tables.rows import Table, matching
from utils.tables.running import ERROR


def listed(table: Table, patterns: Sequence[str] = ()) -> str:
    """A line for each teacher and for each row and seed: its state, its folder.

    Args:
        patterns: of the names of rows; the others are left out.
    """
    teachers = teacher_runs(table)
    names = {row.name for row in matching(table, patterns)}
    rows = [run for run in row_runs(table, teachers) if run.name in names]
    runs = [*teachers.values(), *rows]
    cells = [
        (run.name, "" if run.seed is None else run.seed, _state(run), run.folder) for run in runs
    ]
    return aligned(("row", "seed", "state", "folder"), cells)


def _state(run: Run) -> str:
    try:
        done = [job.done() for job in run.jobs]
    except InputError:
        return "other options"
    if (run.folder / ERROR).is_file():
        return "failed"
    if all(done):
        return "done"
    begun = any(done) or any(job.last and (job.folder / job.last).exists() for job in run.jobs)
    return "begun" if begun else "to do"
