"""Processes that run one script after the other, so that PyTorch is imported once in each."""

import gc
import importlib.util
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from types import ModuleType

import torch

from utils.cli.command import run
from utils.cli.problems import warn_once

SCRIPTS = Path(__file__).resolve().parents[2]
POLL = 1.0  # seconds after which a wait for a script looks whether its process has died
STOPPED = 128 + signal.SIGTERM


def share_of_threads(jobs: int) -> int:
    """How many of PyTorch's threads each of so many processes has, at least one."""
    return max(1, torch.get_num_threads() // jobs)


class Worker:
    """A process that runs scripts; what they say is added to a log.

    Args:
        threads: of PyTorch; None leaves it to that.
    """

    def __init__(self, threads: int | None = None) -> None:
        # Spawned, since a forked child may inherit a lock of PyTorch's threads.
        context = get_context("spawn")
        self._calls, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, threads))
        self._process.start()
        theirs.close()

    def __call__(self, script: str, words: Sequence[str], log_file: Path) -> int:
        """Run a script; its exit code, or minus the signal that has killed the process."""
        with suppress(BrokenPipeError):
            self._calls.send((script, list(words), log_file))
        while not self._calls.poll(POLL) and self._process.is_alive():
            pass
        # Asked again, since a loader that outlives its parent holds the pipe open.
        with suppress(EOFError, ConnectionResetError):
            if self._calls.poll():
                return self._calls.recv()
        self._process.join()
        return self._process.exitcode or 1

    def stop(self) -> None:
        """Ask the script that runs to save and to end; the process ends with it."""
        if self._process.is_alive():
            self._process.terminate()

    def close(self) -> None:
        """End the process, which runs no script any more."""
        self._calls.close()
        self._process.join()


class Workers:
    """Call scripts from several threads, each in a process that has no other one to run.

    As a context manager, ends the processes. `threads` is that of each `Worker`.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads, self._lock = threads, Lock()
        self._all: list[Worker] = []
        self._idle: list[Worker] = []
        self._stopped = False

    def __call__(self, script: str, words: Sequence[str], log_file: Path) -> int:
        """Run a script; its exit code, or minus the signal that has killed its process."""
        with self._lock:
            if self._stopped:
                return STOPPED
            if not self._idle:
                self._all.append(Worker(self._threads))
                self._idle.append(self._all[-1])
            worker = self._idle.pop()
        code = worker(script, words, log_file)
        if code:  # what went wrong, an error of the device above all, could spoil the next script
            worker.close()
        with self._lock:
            (self._all.remove if code else self._idle.append)(worker)
        return code

    def stop(self) -> None:
        """Ask the scripts that run to save and to end; no other one starts."""
        with self._lock:
            self._stopped = True
            for worker in self._all:
                worker.stop()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes; all scripts have ended."""
        for worker in self._all:
            worker.close()


def _serve(calls: Connection, threads: int | None) -> None:
    """Run the scripts that are asked for, until one goes wrong or none is asked for any more."""
    if hasattr(os, "setsid"):
        # Ctrl-C in a terminal would reach a script twice, and the second signal ends a training
        # at once.
        os.setsid()
    threads = threads or torch.get_num_threads()
    with suppress(EOFError, BrokenPipeError):
        code = 0
        while not code:
            # As an exception, so that an idle process leaves no semaphore behind.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
            script, words, log_file = calls.recv()
            torch.set_num_threads(threads)  # a resumed training may have taken its own number
            code = _run(script, words, log_file)
            warn_once.cache_clear()
            gc.collect()
            if torch.cuda.is_initialized():
                torch.cuda.empty_cache()
            calls.send(code)


def _run(script: str, words: list[str], log_file: Path) -> int:
    with log_file.open("a", encoding="utf-8") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    sys.argv = [str(SCRIPTS / script), *words]
    try:
        run(lambda: _module(script).main(words))
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.flush()
    return 0


def _module(script: str) -> ModuleType:
    """The module in a file; by name, test.py would be Python's own."""
    spec = importlib.util.spec_from_file_location(Path(script).stem, SCRIPTS / script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
