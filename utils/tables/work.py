"""What a job does: the scripts of a row, of a pruning or of a teacher, one after the other."""

import gc
import importlib.util
import json
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch

import models
from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.command import REPOSITORY, error_message, run
from utils.cli.problems import warn_once
from utils.networks.cost import milliseconds
from utils.networks.device import choose, deployed
from utils.tables.report import write
from utils.tables.rows import Table
from utils.tables.steps import LATENCY, LOG, Run, Step, read_json

Call = Callable[[str, Sequence[str], Path], int]


@dataclass(frozen=True)
class Work:
    """The steps of a run that are not done yet; then the table is written.

    Args:
        call: calls a script, as `call_script` does.
        threads: of PyTorch; None leaves it to that.
        scorers: processes in which a test scores; None leaves it to test.py.
        timed: whether the network is timed, too.
        waits: for another process that does the run, instead of leaving it to that.
    """

    table: Table
    run: Run
    call: Call
    threads: int | None
    scorers: int | None
    timed: bool
    waits: bool

    def __call__(self) -> None:
        """Do them.

        Raises:
            InputError: another process does them, or what has gone wrong, which is then noted.
            SystemExit: a signal has ended a script, from which --resume goes on.
        """
        threads = self.threads or torch.get_num_threads()
        try:
            with self.run.lock(self.waits), self.run.noting():
                for step in self.run.steps:
                    torch.set_num_threads(threads)  # a resumed training may have its own number
                    self._take(step)
                torch.set_num_threads(threads)
                if self.timed:
                    take_time(self.run)
        finally:
            write(self.table)

    def _take(self, step: Step) -> None:
        if step.done():
            return
        step.prepare()
        words, file = step.command(self.scorers), step.folder / LOG
        with file.open("a", encoding="utf-8") as said:
            said.write(f"$ python {shlex.join([step.script, *words])}\n")
            start = said.tell()
        code = self.call(step.script, words, file)
        if code > 128:
            raise SystemExit(code)
        if code or not step.outcome.is_file():
            raise InputError(f"{step.script}: {last_word(file, start, code)} (see {file})")
        step.note()
        if step.script == "test.py" and not self.table.config.keep_mattes:
            for folder in step.outcome.with_suffix("").iterdir():
                if folder.is_dir():
                    shutil.rmtree(folder)


def take_time(run: Run) -> None:
    """Note the milliseconds of a row's network and of its teacher, which take turns.

    Raises:
        InputError: one of them cannot be opened, or has no room.
    """
    file, last = run.folder / LATENCY, run.steps[-1]
    if not last.test or run.network == run.teacher or "network" in read_json(file):
        return
    try:
        pair = [models.load(str(path)) for path in (run.teacher, run.network)]
        device = choose(last.content.get("device", "auto"))
        times = milliseconds([deployed(one, device) for one in pair], runs=15)
    except RuntimeError as error:
        reason = error_message(error) or error
        raise InputError(f"{run.network}: cannot be timed ({reason})") from error
    with atomic(file) as temporary:
        content = dict(zip(("teacher", "network"), times, strict=True))
        temporary.write_text(json.dumps(content), encoding="utf-8")


def last_word(file: Path, start: int, code: int) -> str:
    """What a script that failed said last, after the first `start` bytes of its log."""
    said = file.read_bytes()[start:].decode(errors="replace").splitlines()
    last = [line for line in said if line.startswith("error: ")] or list(filter(str.strip, said))
    return last[-1].removeprefix("error: ").strip()[:300] if last else f"exit code {code}"


def call_script(script: str, words: Sequence[str], log_file: Path) -> int:
    """Run a script in this process; what it says is added to a log.

    Returns:
        Its exit code, more than 128 where a signal has ended it.
    """
    sys.argv = [str(REPOSITORY / script), *words]
    with _output_added_to(log_file):
        try:
            run(lambda: _module(script).main(words))
        except SystemExit as ended:
            return int(ended.code or 0)
        except Exception:
            traceback.print_exc()
            return 1
        finally:
            sys.stderr.flush()
            warn_once.cache_clear()
            gc.collect()
            if torch.cuda.is_initialized():
                torch.cuda.empty_cache()
    return 0


@contextmanager
def _output_added_to(file: Path) -> Iterator[None]:
    before = os.dup(1), os.dup(2)
    try:
        with file.open("a", encoding="utf-8") as log:
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
        yield
    finally:
        for stream, old in zip((1, 2), before, strict=True):
            os.dup2(old, stream)
            os.close(old)


def _module(script: str) -> ModuleType:
    """The module in a file; by name, test.py would be Python's own."""
    spec = importlib.util.spec_from_file_location(Path(script).stem, REPOSITORY / script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
