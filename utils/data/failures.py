"""What goes wrong while samples are made: pictures that turn out bad, workers that end."""

import errno
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Listener

from models.errors import InputError
from utils.cli.problems import tolerate

SHM = "raise the room in /dev/shm (docker run --shm-size=1g), or lower data.workers"
FILES = "too many open files; raise their limit (ulimit -n 4096), or lower data.workers"
KILLED = (
    "one was killed, probably for want of memory; lower it or data.cache_mb, or give /dev/shm "
    "more room (docker run --shm-size=1g)"
)


class Failures:
    """What went wrong with pictures during a training; each problem is logged when it is new.

    Args:
        total: how many pictures there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._problems: list[str] = []

    def add(self, problems: Iterable[str]) -> None:
        """Note `problems`, which may be known already.

        Raises:
            InputError: more than 1 % of the pictures have one.
        """
        known = self._problems
        new = [problem for problem in dict.fromkeys(problems) if problem not in known]
        self._problems = [*known, *new]
        tolerate(new, self._total, "pictures", known)

    def __str__(self) -> str:
        """The count for the end of an epoch; empty without problems."""
        count = len(self._problems)
        return f"{count} of {self._total} pictures left out" if count else ""


def require_means_of_workers() -> None:
    """Raise an `InputError` where workers could not start, or not send what they make."""
    try:
        multiprocessing.Queue().close()  # its locks are files in /dev/shm
        Listener().close()  # a socket in the folder of temporary files
    except OSError as error:
        if error.errno is None:  # of the socket
            folder = tempfile.gettempdir()
            reason = f"TMPDIR, {folder}, is too long for their sockets; set it to a shorter one"
        elif error.errno == errno.EMFILE:
            reason = FILES
        else:
            reason = f"none can start ({error.strerror}); {SHM}"
        raise InputError(f"data.workers: {reason}") from None


def exit_code(error: Exception) -> int:
    """With which a worker ends that cannot send what it made: the number of the system's error."""
    if os.strerror(errno.EMFILE) in str(error):  # PyTorch's errors have no number
        return errno.EMFILE
    return getattr(error, "errno", None) or 1


def worker_error(error: Exception, codes: Sequence[int | None]) -> InputError | None:
    """Why workers ended, and what to do; None where `error` is about something else.

    Args:
        codes: with which the workers exited.
    """
    gone = isinstance(error, ConnectionError | EOFError) or "DataLoader worker" in str(error)
    killed = any(code is not None and code < 0 for code in codes)
    no_files = errno.EMFILE in (exit_code(error), *codes) or "ancdata" in str(error)
    if no_files or (gone and not killed and isinstance(error, OSError)):
        return InputError(f"data.workers: {FILES}")
    if -signal.SIGBUS in codes:
        return InputError(f"data.workers: one found no room in shared memory; {SHM}")
    if gone and not killed and any(codes):
        return InputError("data.workers: one could not send what it made; try data.workers=0")
    return InputError(f"data.workers: {KILLED}") if gone else None
