"""How every script starts and ends: one line and exit code 2 for bad input, logging to stderr."""

import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType

from models.errors import InputError
from utils.cli.packages import lacking
from utils.cli.signals import CODES, end_on_signals
from utils.disk.room import in_words

log = logging.getLogger(__name__)

# What PyTorch and OpenCV say, in errors of no kind of their own, where memory cannot be had.
OUT_OF_MEMORY = re.compile(
    r"can't allocate memory.*?(\d+) bytes|Failed to allocate (\d+) bytes"
    r"|out of memory.*?allocate ([\d.]+ \w+)|Storage size calculation overflowed"
)
STOPPED = "stopped; what is whole stays"
CURE = "take smaller pictures, a smaller network, or smaller batches and fewer workers"


def run(main: Callable[[], None]) -> None:
    """Call a script's `main`; what is no fault of the program becomes one line and exit code 2.

    That is an `InputError`, what the system refuses (files, memory, an output that is closed), and
    missing packages: a script imports none of them before it calls this. All else shows its
    traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for code in CODES:
        signal.signal(code, _end)
    if sys.stdout:  # names that the terminal's encoding lacks are written with escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            if line := lacking():
                raise InputError(line)
            main()
        finally:
            if sys.stdout:
                sys.stdout.flush()  # or it fails where nobody can say so
    except KeyboardInterrupt:
        log.error(STOPPED)
        sys.exit(130)
    except Exception as error:
        line = told(error)
        if line is None:
            raise
        if isinstance(error, BrokenPipeError):
            # Or Python would write there once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        log.error("error: %s", line)
        sys.exit(2)
    finally:
        end_on_signals()  # as an exception, Python would print it while it cleans up


def _end(code: int, frame: FrameType | None) -> None:
    """As an exception, so that processes are ended and temporary files removed.

    Not while modules are imported: theirs is code that takes it for an error of its own.
    """
    while frame:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            if code == signal.SIGINT:
                log.error(STOPPED)
            os._exit(128 + code)
        frame = frame.f_back
    if code == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + code)


def told(error: BaseException) -> str | None:
    """The line for an error that is not the program's fault; None for one that is."""
    message = " ".join(str(error).split())
    if isinstance(error, InputError):
        return message
    if isinstance(error, BrokenPipeError):
        return "standard output was closed before all was written"
    if isinstance(error, OSError):
        if error.filename is None:
            return error.strerror or message
        return f"{os.fsdecode(error.filename)}: {error.strerror or message}; check the path"
    if isinstance(error, MemoryError):  # NumPy's says of what size the array would be
        return f"out of memory{message and f' ({message})'}; {CURE}"
    if found := OUT_OF_MEMORY.search(message):
        count = found[1] or found[2]
        size = in_words(int(count)) if count else found[3] or "more than any machine has"
        return f"out of memory ({size} at once); {CURE}"
    return None
