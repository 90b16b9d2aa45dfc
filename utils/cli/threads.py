"""How PyTorch's threads wait and how many there are; decided before it is imported."""

import logging
import os
import sys
import time
from pathlib import Path

log = logging.getLogger(__name__)

WATCHED = 0.2  # seconds in which the other programs of this machine are looked at
CPUS = Path("/sys/devices/system/cpu")


def choose_threads() -> None:
    """Let threads sleep while they wait, and take no more of them than cores are free.

    A thread that waits in a loop, the default, takes its core from other programs, and a step waits
    for the slowest thread: beside a busy program two threads take longer than one. Nothing changes
    where the user has set OMP_WAIT_POLICY or OMP_NUM_THREADS, or PyTorch is imported already.
    """
    if "torch" in sys.modules:
        return
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "OMP_NUM_THREADS" in os.environ or not hasattr(os, "sched_getaffinity"):
        return
    ours = os.sched_getaffinity(0)
    busy = busy_cores(ours)
    count = threads(cores(ours), len(ours), busy)
    if count < cores(ours):
        os.environ["OMP_NUM_THREADS"] = str(count)
        log.info(
            "PyTorch takes %d of %d threads, since other programs keep %.1f cores busy; set "
            "OMP_NUM_THREADS to choose",
            *(count, cores(ours), busy),
        )


def threads(cores: int, processors: int, busy: float) -> int:
    """How many threads: one a core, as PyTorch does, but none for processors that are busy."""
    return max(1, min(cores, processors - round(busy)))


def share_of_cores(processes: int) -> int:
    """How many cores each of so many processes has, at least one."""
    known = hasattr(os, "sched_getaffinity")
    ours = os.sched_getaffinity(0) if known else range(os.cpu_count() or 1)
    return max(1, cores(set(ours)) // processes)


def cores(processors: set[int]) -> int:
    """How many cores these processors are; two may be one core."""
    siblings = (CPUS / f"cpu{number}/topology/thread_siblings_list" for number in processors)
    try:
        return len({file.read_text() for file in siblings})
    except OSError:
        return len(processors)


def busy_cores(processors: set[int]) -> float:
    """How many of these processors others keep busy, on average over `WATCHED`; 0 if unknown."""
    before = _ticks(processors)
    time.sleep(WATCHED)
    after = _ticks(processors)
    shares = []
    for number in before.keys() & after.keys():
        total, idle = (after[number][i] - before[number][i] for i in (0, 1))
        shares.append(1 - idle / total if total > 0 else 0.0)
    return sum(shares)


def _ticks(processors: set[int]) -> dict[int, tuple[int, int]]:
    """{processor: (all ticks, idle ones)} since the start of the machine."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return {}
    found = {}
    for name, *ticks in (line.split() for line in lines if line.startswith("cpu")):
        number = name.removeprefix("cpu")
        if number.isdecimal() and int(number) in processors:
            user, nice, system, idle, waiting, *rest = map(int, ticks[:8])
            found[int(number)] = (user + nice + system + idle + waiting + sum(rest), idle + waiting)
    return found
