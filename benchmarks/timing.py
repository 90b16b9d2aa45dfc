"""What the benchmarks share: options, lines of JSON, time on one thread, peak memory."""

import argparse
import ctypes
import json
import mmap
import multiprocessing
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from utils.cli import arguments

M_MMAP_THRESHOLD, MAPPED = -3, 1 << 17  # glibc's own first value, which it else raises


def parser(doc: str) -> argparse.ArgumentParser:
    """Options of a benchmark with the docstring `doc`; `--toy` is one."""
    options = arguments.parser(doc)
    options.add_argument(
        "--toy", action="store_true", help="tiny sizes, once: shows that it runs, measures nothing"
    )
    return options


def positive(text: str) -> int:
    """The type of a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1")
    return int(text)


def report(name: str, value: float, unit: str) -> None:
    """Print one measurement as a line of JSON."""
    print(json.dumps({"name": name, "value": value, "unit": unit}), flush=True)


def report_pair(name: str, plain: float, ours: float, unit: str, scale: float = 1) -> None:
    """What the plain form takes, what ours takes, both times `scale`, and their ratio."""
    report(f"{name}, plain", scale * plain, unit)
    report(f"{name}, ours", scale * ours, unit)
    report(f"{name}, plain / ours", plain / ours, "times")


def fastest(
    functions: Sequence[Callable[[], object]],
    repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
    threads: int = 1,
) -> list[float]:
    """Seconds of one call of each, the minimum of several.

    They are called in turn, so that all meet the same machine, and once before, to warm up. On one
    thread, calls may be long by `time.process_time`: what other processes take does not count.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for function in functions:
            function()
        seconds = [[_seconds(function, clock) for function in functions] for _ in range(repeats)]
    finally:
        torch.set_num_threads(before)
    return [min(column) for column in zip(*seconds, strict=True)]


def peak_above_inputs(
    function: Callable[..., object],
    inputs: Callable[..., tuple],
    size: Sequence[int],
    small: Sequence[int],
) -> int:
    """Bytes that `function(*inputs(*size))` takes at its peak beyond what stood before the call.

    A fresh process calls it once on inputs of a `small` size, so that code and thread pools loaded
    by a first call do not count, builds the inputs, has the kernel reset its high-water mark, makes
    the call and reads the mark (Linux, CPU). Both functions must be importable, not lambdas. At
    least a page, so that a call which takes none can be divided by.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, function, inputs, size, small))
    process.start()
    sender.close()  # so that a child that dies ends the wait with EOFError
    peak = receiver.recv()
    process.join()
    return max(peak, mmap.PAGESIZE)


def _seconds(function: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    function()
    return clock() - start


def _measure(sender, function, inputs, size, small) -> None:
    # Large blocks are given back when they are freed. Else the C library keeps some, so that the
    # same call takes 53 MB in one process and 105 in another.
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MAPPED)
    torch.set_num_threads(1)
    function(*inputs(*small))
    arguments = inputs(*size)
    # Not resource.getrusage: its mark cannot be reset and is inherited from the parent process.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_bytes("VmRSS")
    function(*arguments)
    sender.send(_status_bytes("VmHWM") - before)


def _status_bytes(key: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{key}:\s*(\d+) kB", status)[1]) * 1024
