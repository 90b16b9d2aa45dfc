"""How every script starts and ends: one line and exit code 2 for bad input, logging to stderr."""

import errno
import logging
import os
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from models.errors import InputError
from utils.cli.problems import memory_message
from utils.cli.signals import CODES, end_on_signals

log = logging.getLogger(__name__)

REPOSITORY = Path(__file__).resolve().parents[2]
# What is imported of requirements.txt; torchvision is not always needed.
NEEDED = (
    "torch", "numpy", "PIL", "scipy", "cv2", "yaml", "pydantic", "safetensors", "tensorboard",
    "tqdm", "filelock", "simplejpeg", "tifffile", "imagecodecs", "submitit",
)  # fmt: skip


def missing_packages() -> str:
    """A line that names the packages this Python lacks and the command to run; empty if none."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if not missing:
        return ""
    activate = f". {REPOSITORY / '.venv/bin/activate'}"
    if (REPOSITORY / ".venv" / ".runs").exists():
        cure = f"they are in .venv: run {activate}"
    else:
        cure = (
            f"run make demo, which installs them into .venv, and then {activate}; "
            "or run python -m pip install -r requirements.txt"
        )
    return f"{sys.executable} has no package {', '.join(missing)}; {cure}"


if missing := missing_packages():  # here, before a script imports what needs them
    sys.stderr.write(f"error: {missing}\n")
    sys.exit(2)


def run(main: Callable[[], None]) -> None:
    """Call a script's `main`; what is no fault of the program becomes one line and exit code 2.

    That is an `InputError` and what the system refuses: files, memory, an output that is closed.
    All else shows its traceback.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as cron may
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115, until the end
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for code in CODES:
        signal.signal(code, _end)
    sys.stdout.reconfigure(errors="backslashreplace")  # for names that the terminal cannot show
    try:
        try:
            main()
        finally:
            sys.stdout.flush()  # or it fails where nobody can say so
    except KeyboardInterrupt:
        log.error("stopped; what is whole stays")
        sys.exit(130)
    except Exception as error:
        line = error_message(error)
        if line is None:
            raise
        if isinstance(error, BrokenPipeError):
            # Or Python would write there once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        log.error("error: %s", line)
        sys.exit(2)
    finally:
        end_on_signals()  # as an exception, Python would print it while it cleans up


def _end(code: int, _: FrameType | None) -> None:
    """As an exception, so that processes are ended and temporary files removed."""
    if code == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + code)


def error_message(error: BaseException) -> str | None:
    """The line for an error that is not the program's fault; None for one that is."""
    message = " ".join(str(error).split())
    if isinstance(error, InputError):
        return message
    if isinstance(error, BrokenPipeError):
        return "standard output was closed before all was written"
    if isinstance(error, OSError):
        if error.errno == errno.EMFILE:
            return "too many open files; raise their limit (ulimit -n 4096), or use fewer workers"
        if error.filename is None:
            return error.strerror or message
        return f"{os.fsdecode(error.filename)}: {error.strerror or message}; check the path"
    return memory_message(error)
