"""Scripts as their users start them: in this process, or slower in one of their own."""

import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from tests import refusals

REPOSITORY = Path(__file__).resolve().parents[1]


def main(script: str, *arguments: object) -> None:
    """Call the script's `main` in this process."""
    load(script).main([str(argument) for argument in arguments])


def refusal(script: str, *arguments: object) -> str:
    """The line with which the script's `main` refuses its arguments."""
    return refusals.refused(main, script, *arguments)


def run(folder: Path, script: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run the script in a process of its own, in `folder`."""
    command = [sys.executable, str(REPOSITORY / script), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def refused(folder: Path, script: str, *arguments: object) -> str:
    """The last line of a process of its own that ends with exit code 2."""
    ended = run(folder, script, *arguments)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    return line


@cache
def load(script: str) -> ModuleType:
    """The module in a file; by name, test.py would be Python's own."""
    spec = importlib.util.spec_from_file_location(
        f"script_{Path(script).stem}", REPOSITORY / script
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
