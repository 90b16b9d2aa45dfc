"""Fill a table: call its scripts one after the other, each in a process of its own."""

import json
import logging
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from models.atomic import atomic
from models.errors import InputError
from utils.command import told
from utils.disk.lock import alone
from utils.tables.jobs import Job, Run, row_runs, teacher_runs
from utils.tables.rows import Table

log = logging.getLogger(__name__)

ERROR, LOG, LATENCY = "error.txt", "log.txt", "latency.json"
SCRIPTS = Path(__file__).resolve().parents[2]
Call = Callable[[str, Sequence[str], Path], int]  # script, words, log -> exit code


def call(script: str, words: Sequence[str], log_file: Path) -> int:
    """Run a script; what it says is added to a log. A signal to this process ends it, too."""
    with log_file.open("a", encoding="utf-8") as said:
        # In a session of its own, since Ctrl-C in a terminal would reach it twice, and the second
        # signal ends a training at once.
        process = subprocess.Popen(
            [sys.executable, str(SCRIPTS / script), *words],
            stdout=said,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait()
        except BaseException:
            while process.poll() is None:
                process.terminate()
                with suppress(KeyboardInterrupt, SystemExit):
                    process.wait()
            raise


def fill(table: Table, after: Callable[[], None], call: Call = call) -> list[str]:
    """Do what is not done yet; a row that goes wrong leaves its error, and the others go on.

    Args:
        after: called after each row, to write what is known.

    Returns:
        The errors of the rows, a line each.

    Raises:
        InputError: another process fills this table, or a teacher's file is not there.
    """
    teachers = teacher_runs(table)
    for name, teacher in teachers.items():
        if teacher.trained or teacher.network.is_file():
            continue
        raise InputError(
            f"{teacher.network}: no teacher there; train it, name another with teachers.{name}"
            ".teacher=FILE, or null to train one"
        )
    errors: dict[Path, str] = {}  # by folder: several rows need what was not made
    with alone(table.folder, "filling a table"):
        runs = [*teachers.values(), *row_runs(table, teachers)]
        for index, run in enumerate(runs, 1):
            named = run.name if run.seed is None else f"{run.name}, seed {run.seed}"
            log.info("%d of %d: %s", index, len(runs), named)
            needed = next(one for one in teachers.values() if one.network == run.teacher)
            try:
                if needed is not run and not needed.ready():
                    raise InputError(f"no teacher {needed.name}: {errors[needed.folder]}")
                for job in run.jobs:
                    _do(job, errors, table.config.keep_mattes, call)
                _time(run)
            except InputError as error:
                errors[run.folder] = str(error)
                log.error("%s: %s", named, error)
                with atomic(run.folder / ERROR) as temporary:
                    temporary.write_text(f"{error}\n", encoding="utf-8")
            else:
                (run.folder / ERROR).unlink(missing_ok=True)
            after()
    return list(errors.values())


def _do(job: Job, errors: dict[Path, str], keep_mattes: bool, call: Call) -> None:
    if job.folder in errors:
        raise InputError(errors[job.folder])
    if job.done():
        return
    job.prepare()
    words, file = job.command(), job.folder / LOG
    with file.open("a", encoding="utf-8") as said:
        said.write(f"$ python {shlex.join([job.script, *words])}\n")
        start = said.tell()
    log.info("  %s", job.script)
    code = call(job.script, words, file)
    if code or not job.outcome.is_file():
        line = f"{job.script}: {_last_word(file, start, code)} (see {file})"
        errors[job.folder] = line
        raise InputError(line)
    job.note()
    if job.script == "test.py" and not keep_mattes:
        for folder in job.outcome.with_suffix("").iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)


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


def _time(run: Run) -> None:
    """Note the milliseconds of the network and of its teacher, measured in turns."""
    file = run.folder / LATENCY
    if file.is_file() or run.network == run.teacher:
        return
    from utils.cost import laid_out, milliseconds
    from utils.device import choose
    from utils.networks import open_network

    device = choose(run.jobs[-1].content.get("device", "auto"))
    paths = (run.teacher, run.network)
    networks = [open_network(str(path)).folded(norms=False).to(device) for path in paths]
    try:
        teacher, own = milliseconds([laid_out(network) for network in networks], runs=15)
    except RuntimeError as error:
        raise InputError(f"{run.network}: cannot be timed ({told(error) or error})") from error
    with atomic(file) as temporary:
        temporary.write_text(json.dumps({"teacher": teacher, "network": own}), encoding="utf-8")
