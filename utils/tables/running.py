"""Fill a table: call its scripts, for one row after the other or for several side by side."""

import logging
import shlex
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Protocol

from models.errors import InputError
from models.files.atomic import atomic
from utils.disk.lock import folder_lock
from utils.tables.jobs import Job, Run, row_runs, teacher_runs
from utils.tables.rows import Table, matching
from utils.tables.turns import Turns

log = logging.getLogger(__name__)

ERROR, LOG, LATENCY = "error.txt", "log.txt", "latency.json"


class Call(Protocol):
    """What runs scripts; `utils.tables.workers.Workers`."""

    def __call__(self, script: str, words: Sequence[str], log_file: Path) -> int:
        """Run a script; its exit code."""

    def stop(self) -> None:
        """Ask the scripts that run to save and to end; no other one starts."""


def fill(
    table: Table,
    after: Callable[[], None],
    call: Call,
    jobs: int = 1,
    scorers: int | None = None,
    patterns: Sequence[str] = (),
) -> list[str]:
    """Do what is not done yet; a row that goes wrong leaves its error, and the others go on.

    Args:
        after: called after each row, to write what is known.
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
    for name, teacher in teachers.items():
        if teacher.trained or teacher.network.is_file():
            continue
        raise InputError(
            f"{teacher.network}: no teacher there; train it, name another with teachers.{name}"
            ".teacher=FILE, or null to train one"
        )
    for row in rows if jobs > 1 else ():
        if (table.options(row.pruning).get("prune", {}).get("budget") or {}).get("milliseconds"):
            raise InputError(
                f"--jobs {jobs}: {row.name} has a budget in milliseconds, and what runs beside it "
                "would change them; leave out --jobs, or this row with --rows"
            )
    names = {row.name for row in rows}
    runs = [*teachers.values(), *(run for run in row_runs(table, every) if run.name in names)]
    filling = _Filling(runs, after, call, scorers, table.config.keep_mattes)
    with folder_lock(table.folder, "filling a table"):
        filling.all(jobs)
    return [filling.errors[run.folder] for run in runs if run.folder in filling.errors]


class _Filling:
    """A table that is being filled by several threads, each of which waits for a script."""

    def __init__(
        self,
        runs: Sequence[Run],
        after: Callable[[], None],
        call: Call,
        scorers: int | None,
        keep_mattes: bool,
    ) -> None:
        self.errors: dict[Path, str] = {}  # by folder: several rows need what was not made
        self._runs, self._turns = runs, Turns(runs)
        self._after, self._call = after, call
        self._scorers, self._keep_mattes = scorers, keep_mattes
        self._writing, self._unwritten = Lock(), False
        self._times: dict[tuple, dict[str, float]] = {}

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
                self._turns.stop()
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
        while run := self._turns.next():
            log.info("%d of %d: %s", self._runs.index(run) + 1, len(self._runs), run.title)
            try:
                self._take(run, step)
            finally:
                self._turns.over(*run.jobs)
            if not self._turns.stopped:
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
            if self._turns.stopped:  # its script was asked to end
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
                self._turns.over(job)

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
            if not self._turns.stopped:
                self.errors[job.folder] = line
            raise InputError(line)
        job.note()
        if job.script == "test.py" and not self._keep_mattes:
            for folder in job.outcome.with_suffix("").iterdir():
                if folder.is_dir():
                    shutil.rmtree(folder)

    def _time(self, run: Run) -> None:
        time(run, self._times)


def time(run: Run, known: dict[tuple, dict[str, float]]) -> None:
    """Note the milliseconds of a network and of its teacher, unless that is done.

    Args:
        known: what was measured of networks with the same widths.
    """
    file = run.folder / LATENCY
    if file.is_file() or run.network == run.teacher:
        return
    from utils.tables.timing import note_times  # which imports PyTorch

    device = run.jobs[-1].content.get("device", "auto")
    note_times(file, run.network, run.teacher, device, known)


def _last_word(file: Path, start: int, code: int) -> str:
    """What a script that failed said last."""
    with file.open("rb") as said:
        said.seek(start)
        lines = said.read().decode(errors="replace").splitlines()
    told = [line for line in lines if line.startswith("error: ")] or [
        line for line in lines if line.strip()
    ]
    if code < 0 or code > 128:
        return f"ended by signal {-code if code < 0 else code - 128}"
    return told[-1].removeprefix("error: ").strip()[:300] if told else f"exit code {code}"
