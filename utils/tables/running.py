"""Fill a table: call its scripts, for one row after the other or for several side by side."""

import logging
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from pathlib import Path
from threading import Lock

import models
from models.errors import InputError
from models.files.atomic import atomic
from utils import config as configs
from utils.cli.files import folder_lock
from utils.config.options import Config
from utils.networks.loading import network_class
from utils.tables.jobs import Job, Run, read_json, row_runs, teacher_runs
from utils.tables.pending import Pending
from utils.tables.rows import Row, Table, matching
from utils.tables.timing import Known, note_times
from utils.tables.workers import Workers

log = logging.getLogger(__name__)

ERROR, LOG, LATENCY, FILE = "error.txt", "log.txt", "latency.json", "table.txt"


def fill(
    table: Table,
    after: Callable[[], None],
    call: Workers,
    jobs: int = 1,
    scorers: int | None = None,
    patterns: Sequence[str] = (),
) -> list[str]:
    """Do what is not done yet; a row that goes wrong leaves its error, and the others go on.

    Args:
        after: called after each row, to write what is known.
        call: runs scripts.
        jobs: so many rows go on side by side; networks are timed at the end then.
        scorers: processes in which each test scores; None leaves the choice to test.py.
        patterns: of the names of rows; the others are left as they are.

    Returns:
        The errors of the rows, a line each.

    Raises:
        InputError: another process fills this table, a teacher's file is not there, no row has
            such a name, or rows side by side would change what is measured.
    """
    every = teacher_runs(table)
    rows = matching(table, patterns)
    teachers = {row.teacher: every[row.teacher] for row in rows}
    _check(table, rows, teachers, jobs)
    names = {row.name for row in rows}
    runs = [*teachers.values(), *(run for run in row_runs(table, every) if run.name in names)]
    filling = _Filling(runs, after, call, scorers, table.config.keep_mattes)
    with folder_lock(table.folder, "filling a table"):
        _require_own(table)
        filling.all(jobs)
    return [filling.errors[run.folder] for run in runs if run.folder in filling.errors]


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
                "would change them; leave out --jobs, or this row with --rows"
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
    """A table that is being filled by several threads, each of which waits for a script."""

    def __init__(
        self,
        runs: Sequence[Run],
        after: Callable[[], None],
        call: Workers,
        scorers: int | None,
        keep_mattes: bool,
    ) -> None:
        self.errors: dict[Path, str] = {}  # by folder: several rows need what was not made
        self._runs, self._pending = runs, Pending(runs)
        self._after, self._call = after, call
        self._scorers, self._keep_mattes = scorers, keep_mattes
        self._writing, self._unwritten = Lock(), False
        self._times: Known = {}

    def all(self, jobs: int) -> None:
        """Do all runs, `jobs` of them side by side.

        A signal reaches the main thread, which waits here: it has the scripts save and end.
        """
        step = self._make_and_time if jobs == 1 else self._make
        with ThreadPoolExecutor(jobs) as pool:
            threads = [pool.submit(self._work, step) for _ in range(jobs)]
            try:
                for thread in as_completed(threads):
                    thread.result()
            except BaseException:
                self._pending.stop()
                while not all(thread.done() for thread in threads):
                    self._call.stop()
                    with suppress(KeyboardInterrupt, SystemExit):
                        wait(threads)
                raise
        if jobs > 1:
            log.info("timing the networks, now that nothing else runs")
            for run in self._runs:
                if run.folder not in self.errors:
                    self._take(run, self._time)
            self._after()

    def _work(self, step: Callable[[Run], None]) -> None:
        while run := self._pending.next():
            log.info("%d of %d: %s", self._runs.index(run) + 1, len(self._runs), run.title)
            try:
                self._take(run, step)
            finally:
                self._pending.finish(*run.jobs)
            if not self._pending.stopped:
                self._write()

    def _write(self) -> None:
        """Write what is known; a thread that comes while another writes leaves it to that one."""
        self._unwritten = True
        while self._unwritten and self._writing.acquire(blocking=False):
            try:
                self._unwritten = False
                self._after()
            finally:
                self._writing.release()

    def _take(self, run: Run, step: Callable[[Run], None]) -> None:
        """Take a step of a run; what goes wrong is the error of its row alone."""
        try:
            step(run)
        except InputError as error:
            if self._pending.stopped:  # its script was asked to end
                return
            self.errors[run.folder] = str(error)
            log.error("%s: %s", run.title, error)
            with atomic(run.folder / ERROR) as temporary:
                temporary.write_text(f"{error}\n", encoding="utf-8")
        else:
            (run.folder / ERROR).unlink(missing_ok=True)

    def _make_and_time(self, run: Run) -> None:
        self._make(run)
        self._time(run)

    def _make(self, run: Run) -> None:
        needed = next(one for one in self._runs if one.network == run.teacher)
        if needed is not run and not needed.ready():
            raise InputError(f"no teacher {needed.name}: {self.errors[needed.folder]}")
        for job in run.jobs:
            try:
                self._do(job, run.title)
            finally:
                self._pending.finish(job)

    def _do(self, job: Job, title: str) -> None:
        if job.folder in self.errors:
            raise InputError(self.errors[job.folder])
        if job.done():
            return
        job.prepare()
        words, file = job.command(self._scorers), job.folder / LOG
        with file.open("a", encoding="utf-8") as said:
            said.write(f"$ python {shlex.join([job.script, *words])}\n")
            start = said.tell()
        log.info("  %s: %s", title, job.script)
        code = self._call(job.script, words, file)
        if code or not job.outcome.is_file():
            line = f"{job.script}: {_last_word(file, start, code)} (see {file})"
            if not self._pending.stopped:
                self.errors[job.folder] = line
            raise InputError(line)
        job.note()
        if job.script == "test.py" and not self._keep_mattes:
            for folder in job.outcome.with_suffix("").iterdir():
                if folder.is_dir():
                    shutil.rmtree(folder)

    def _time(self, run: Run) -> None:
        time(run, self._times)


def time(run: Run, known: Known) -> None:
    """Note the milliseconds of a network and of its teacher, unless that is done.

    Args:
        known: what was measured of networks with the same widths.
    """
    file = run.folder / LATENCY
    if run.network != run.teacher and "network" not in read_json(file):
        device = run.jobs[-1].content.get("device", "auto")
        note_times(file, run.network, run.teacher, device, known)


def _last_word(file: Path, start: int, code: int) -> str:
    """What a script that failed said last."""
    with file.open("rb") as said:
        said.seek(start)
        lines = said.read().decode(errors="replace").splitlines()
    if code < 0 or code > 128:
        return f"ended by signal {-code if code < 0 else code - 128}"
    last = [line for line in lines if line.startswith("error: ")] or list(filter(str.strip, lines))
    return last[-1].removeprefix("error: ").strip()[:300] if last else f"exit code {code}"
