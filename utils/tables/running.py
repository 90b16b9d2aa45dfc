"""Fill a table: what is not done becomes jobs of an engine, and is waited for."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from submitit import Job

import models
from models.errors import InputError
from models.files.atomic import atomic
from utils import config as configs
from utils.config.options import Config
from utils.networks.loading import network_class
from utils.tables.engine import Local
from utils.tables.report import write
from utils.tables.rows import Row, Table, matching
from utils.tables.steps import ERROR, LOG, Run, row_runs, teacher_runs, with_needs
from utils.tables.work import Call, Work, call_script, take_time

log = logging.getLogger(__name__)

FILE = "table.txt"


def fill(
    table: Table,
    engine: Local,
    jobs: int | None = None,
    patterns: Sequence[str] = (),
    call: Call = call_script,
) -> list[str]:
    """Do what is not done yet; a row that goes wrong leaves its error, and the others go on.

    Several processes may fill a table, also on several machines: each run is done once.

    Args:
        jobs: so many runs at once, on this machine with equal shares of its threads; networks are
            timed at the end then. None: one, or all that Slurm has room for.
        patterns: of the names of rows; the others are left as they are.
        call: runs a script.

    Returns:
        The errors of the rows, a line each.

    Raises:
        InputError: a teacher's file is not there, no row has such a name, Slurm refuses a job, or
            rows at once would change what is measured.
    """
    every = teacher_runs(table)
    rows = matching(table, patterns)
    teachers = {row.teacher: every[row.teacher] for row in rows}
    names = {row.name for row in rows}
    runs = [*teachers.values(), *(run for run in row_runs(table, every) if run.name in names)]
    needed = with_needs(runs)
    most = jobs or (len(needed) if engine.queues else 1)
    _check(table, rows, teachers, most)
    _require_own(table)
    timed = engine.queues or most == 1
    threads = engine.threads if timed else max(1, torch.get_num_threads() // most)
    scorers = threads and (threads if threads > 1 else 0)
    options = (call, threads, scorers, timed, engine.queues)
    work = [Work(table, run, *options) for run in needed]
    errors = _Filling(work, engine, most).all()
    if not timed:
        log.info("timing the networks, now that nothing else runs")
        for run in (run for run in runs if not errors[run.folder]):
            with suppress(InputError), run.noting():
                take_time(run)
    return [error for run in runs if (error := errors[run.folder] or run.end())]


def _check(table: Table, rows: Sequence[Row], teachers: Mapping[str, Run], jobs: int) -> None:
    """Refuse what would fail only after hours."""
    for name, teacher in teachers.items():
        if not teacher.trained and not teacher.network.is_file():
            raise InputError(
                f"{teacher.network}: no teacher there; train it, name another with teachers.{name}"
                ".teacher=FILE, or null to train one"
            )
        config = configs.validated(Config, table.options(table.config.teachers[name]), name)
        kind = network_class(config) if teacher.trained else models.load(teacher.network)
        if kind.task != "matting":
            raise InputError(
                f"{table.file}: teacher {name} is for {kind.task}, and tables score mattes; run "
                "train.py, train_prune.py and train_pruned.py for it"
            )
    for row in rows if jobs > 1 else ():
        prune = configs.validated(Config, table.options(row.pruning), row.name).prune
        if "milliseconds" in (prune.budget.unit, prune.per_cost):
            raise InputError(
                f"--jobs {jobs}: {row.name} is cut by milliseconds, and what runs beside it "
                "would change them; give --jobs 1, or leave out this row with --rows"
            )


def _require_own(table: Table) -> None:
    """Note the table's file in its folder; refuse the folder of another file of the same name."""
    note, file = table.folder / FILE, os.path.relpath(table.file)
    if note.is_file() and (other := note.read_text(encoding="utf-8").strip()) != file:
        raise InputError(
            f"{table.folder}: holds the results of {other}; rename {table.file}, or remove {note} "
            "if it was moved"
        )
    with atomic(note) as temporary:
        temporary.write_text(f"{file}\n", encoding="utf-8")


class _Filling:
    """Work on its way through an engine, `most` at once."""

    def __init__(self, work: Sequence[Work], engine: Local, most: int) -> None:
        self._work = {one.run.folder: one for one in work}
        self._engine, self._most = engine, most
        self._waiting = dict(self._work)
        self._jobs: dict[Path, Job] = {}
        self._gone: dict[Path, float] = {}  # when a job was first seen to have ended
        self._errors: dict[Path, str] = {}  # of what has ended; empty where it is done

    def all(self) -> dict[Path, str]:
        """Do all; the errors, by the folder of the run."""
        for work in self._work.values():
            if not work.run.taken():
                (work.run.folder / ERROR).unlink(missing_ok=True)  # it is tried again
        try:
            while True:
                for work in list(self._waiting.values()):
                    self._advance(work)
                if not self._waiting and not self._jobs:
                    return self._errors
                time.sleep(self._engine.poll)
                for folder in self._engine.ended(self._jobs):
                    self._look(self._work[folder].run)
        except BaseException:
            self._engine.stop(self._jobs.values())
            raise

    def _advance(self, work: Work) -> None:
        """Submit what has what it needs, unless there is no room, or another process does it."""
        run, needs = work.run, [need.folder for need in work.run.needs]
        if error := self._error_of_needs(run):
            self._end(run, error)
            return
        ready = all(need in self._errors for need in needs)
        queues = self._engine.queues and all(n in self._errors or n in self._jobs for n in needs)
        if not (ready or queues) or len(self._jobs) >= self._most or run.taken():
            return
        if ready and (error := run.end()) is not None:
            self._end(run, error)
            return
        log.info("%d of %d: %s", [*self._work].index(run.folder) + 1, len(self._work), run.title)
        after = [self._jobs[need] for need in needs if need in self._jobs]
        self._jobs[run.folder] = self._engine.submit(work, run.title, after)
        del self._waiting[run.folder]

    def _look(self, run: Run) -> None:
        """What has come of a job that has ended; other machines' files may be seen later."""
        taken, error = run.taken(), self._error_of_needs(run) or run.end()
        since = self._gone.setdefault(run.folder, time.monotonic())
        if error is not None:
            self._end(run, error)
        elif taken:  # another process was faster
            self._waiting[run.folder] = self._work[run.folder]
            del self._jobs[run.folder], self._gone[run.folder]
        elif time.monotonic() >= since + self._engine.settle:
            reason = self._engine.reason(self._jobs[run.folder])
            self._end(run, f"{reason} (see {run.folder / LOG})")

    def _error_of_needs(self, run: Run) -> str:
        return next(filter(None, (self._errors.get(need.folder) for need in run.needs)), "")

    def _end(self, run: Run, error: str) -> None:
        self._errors[run.folder] = error
        self._waiting.pop(run.folder, None)
        self._jobs.pop(run.folder, None)
        log.info("%s: %s", run.title, error or "done")
        if error and not (run.folder / ERROR).is_file():
            with suppress(InputError), run.noting():
                raise InputError(error)
            write(self._work[run.folder].table)
