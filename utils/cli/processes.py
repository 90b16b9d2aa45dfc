"""Do many jobs in several processes, with one line for what goes wrong in them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import TypeVar

import cv2

from models.errors import InputError
from utils.cli.problems import collected, warn_once

Job = TypeVar("Job")
Result = TypeVar("Result")
AHEAD = 4  # jobs for each worker that wait or run; a hundred thousand at once would fill the memory


def run(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int, place: Path | str
) -> Iterator[Result]:
    """Yield `function(job)` for each job, in the order in which they are done.

    Args:
        function: of the top level of a module, so that a process can find it.
        jobs: each is asked for when it can soon be done.
        workers: processes; 0 does the jobs in this one.
        place: what is worked on, for the error.

    Raises:
        InputError: what a job raises, or a worker was killed.
    """
    if workers < 1:
        yield from map(function, jobs)
        return
    # Spawned, since a forked child may inherit a lock of OpenCV's or PyTorch's threads.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker)
    left = iter(jobs)
    try:
        running = {pool.submit(_work, function, job) for job in islice(left, AHEAD * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(_work, function, job) for job in islice(left, len(done))}
            for future in done:
                result, warnings = future.result()
                for line in warnings:
                    warn_once(line)
                yield result
    except BrokenProcessPool:
        raise InputError(
            f"{place}: a worker was killed, probably for want of memory; use fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _work(function: Callable[[Job], Result], job: Job) -> tuple[Result, list[str]]:
    """The result of a job, and what there is to warn of, once for all processes."""
    with collected() as warnings:
        return function(job), warnings


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches all processes, but the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Not to outlive a parent that was killed: the pool's own pipes do not tell."""
    multiprocessing.parent_process().join()
    os._exit(1)
