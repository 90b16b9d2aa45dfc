"""What is said of problems: one is raised, many are listed, a few are tolerated; what to run."""

import logging
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import InputError

if TYPE_CHECKING:
    from utils.config.options import Config

log = logging.getLogger(__name__)
once = log.getChild("once")

# What PyTorch and OpenCV say, in errors of no kind of their own, where memory cannot be had.
NO_MEMORY = (
    "allocate memory",
    "Failed to allocate",
    "out of memory",
    "size calculation overflowed",
)
CURE = "take smaller pictures, a smaller network, smaller batches, fewer workers, or --mode tile"
BAD_SHARE = 0.01  # so many of thousands of pictures may be bad


def complain(new: str | Sequence[str], problems: list[str] | None) -> None:
    """`refuse` what is wrong, or add it to `problems` where they are collected."""
    new = [new] if isinstance(new, str) else new
    if problems is None:
        refuse(new)
    else:
        problems += new


@contextmanager
def naming(culprit: Path | str) -> Iterator[None]:
    """Name `culprit` in what is raised inside by a function that does not know it.

    That is an `InputError`, and what is raised where memory cannot be had.
    """
    try:
        yield
    except Exception as error:
        message = str(error) if isinstance(error, InputError) else memory_message(error)
        if message is None:
            raise
        raise InputError(f"{culprit}: {message}") from error


def memory_message(error: BaseException) -> str | None:
    """The line for an error that tells of memory which cannot be had; None for any other."""
    lacking = isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)
    return f"out of memory; {CURE}" if lacking else None


@cache  # a file may be read for its scores, for a sheet and for another network
def warn_once(line: str) -> None:
    """Log a warning, unless it was logged before, here or by a worker of `utils.cli.processes`."""
    once.warning("%s", line)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the lines of `warn_once` instead of logging them, for another process to log."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    once.addHandler(handler)
    once.propagate = False
    try:
        yield lines
    finally:
        once.propagate = True
        once.removeHandler(handler)


def refuse(
    problems: Sequence[str], source: Path | str | None = None, cure: str = "", of: str = ""
) -> None:
    """Raise an `InputError` of the first of `problems` and their number, if there are any.

    Where there are more than one, each is logged before.

    Args:
        source: the culprit of all, where the problems do not name it.
        cure: what to do about all of them, where they do not say it.
        of: of how many the problems are, in words: "101 foregrounds".
    """
    if not problems:
        return
    about = f"{source}: " if source else ""
    more = ""
    if len(problems) > 1:
        for problem in problems:
            log.error("%s%s", about, problem)
        more = f" (and {len(problems) - 1} more{of and f' of {of}'}, all listed above)"
    raise InputError(f"{about}{problems[0]}{more}{cure and f'; {cure}'}")


def tolerate(problems: Sequence[str], total: int, what: str, known: Sequence[str] = ()) -> None:
    """Log `problems`, one line each.

    Args:
        total: of how many things, called `what`.
        known: problems that were logged before.

    Raises:
        InputError: more than 1 % have one.
    """
    every = [*known, *problems]
    if len(every) > BAD_SHARE * total:
        refuse(every, of=f"{total} {what}")
    for problem in problems:
        log.warning("left out: %s", problem)


def format_bytes(count: float) -> str:
    """A number of bytes for people: 1.9 kB."""
    units = ["TB", "GB", "MB", "kB", "bytes"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop()
    return f"{count:.4g} {units[-1]}"


def dataset_command(script: str, root: Path | str, *more: str) -> str:
    """`python SCRIPT --dataset NAME`, with `--data-root` where the data set is not in data/."""
    root = Path(root)
    place = [] if root.parent == Path("data") else ["--data-root", str(root.parent)]
    return _line(script, "--dataset", root.name, *place, *more)


def config_command(script: str, config: "Config", *more: str) -> str:
    """`python SCRIPT --config FILE`, with the overrides that were given."""
    return _line(script, *config.words, *more)


def _line(script: str, *words: str) -> str:
    beside = Path(sys.argv[0]).parent / script  # who runs it from elsewhere names its folder
    return shlex.join(["python", str(beside) if beside.is_file() else script, *words])
