"""Run cases in this process, each in a fresh folder, and say which of them end badly."""

import os
import shutil
import signal
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from models.errors import InputError
from tests import scripts
from tests.fuzz.cases import Case, draw
from utils.cli.command import told

SECONDS = 20
MADE = ("out", "new", "result", "s.png", "f.png", "o.tar", "o.safetensors", "set")


def fault(base: Path, folder: Path, seed: int, number: int) -> str | None:
    """What is wrong with how a case ends; None where all is well.

    Args:
        base: from `write_base`.
        folder: for the case; made, and removed again.
    """
    shutil.copytree(base, folder)
    try:
        with chdir(folder), _no_longer_than(SECONDS):
            case = draw(seed, number)
            before = _content()
            found = _ended(case)
            changed = [path for path, data in before.items() if _read(path) != data]
            if not found and changed:
                found = f"changed {', '.join(changed)}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found and f"seed {seed}, case {number}: {' '.join(case)[:300]!r}: {found}"


def _ended(case: Case) -> str | None:
    script, *arguments = case
    try:
        scripts.main(script, *arguments)
    except SystemExit as error:
        return None if error.code in (0, 2, None) else f"exit code {error.code}"
    except Exception as error:
        line = told(error)
        if line is None or isinstance(error, TimeoutError):
            return traceback.format_exc()
        if isinstance(error, InputError) and "\n" in str(error):
            return f"several lines: {error}"
    return None


def _content() -> dict[str, bytes]:
    """The inputs of a case: all that its script has not made and does not prepare."""
    files = [path for path in Path().rglob("*") if path.is_file() and path.parts[0] not in MADE]
    files += Path("set").glob("t*/[fab]*/*")
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def _read(path: str) -> bytes | None:
    return Path(path).read_bytes() if os.path.isfile(path) else None  # noqa: PTH113


@contextmanager
def _no_longer_than(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"takes more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
