"""How a script ends: one line and exit code 2, unless the program is at fault."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.errors import InputError
from tests.scripts import REPOSITORY
from utils.cli.command import run, told


def raising(function):
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            lambda: list(Path("/none/such").iterdir()),
            "/none/such: No such file or directory; check the",
        ),
        (lambda: Path("x" * 300).read_text(), f"{'x' * 300}: File name too long; check the path"),
        (lambda: np.empty(10**15), "out of memory (Unable to allocate 7.11 PiB"),
        (lambda: bytearray(10**15), "out of memory; take smaller pictures"),
        (lambda: torch.empty(10**15), "out of memory (4000 TB at once); take smaller"),
        (
            lambda: cv2.resize(np.zeros((9, 9), np.uint8), (2**23, 2**23)),
            "out of memory (70.37 TB at once); take smaller",
        ),
    ],
    ids=["missing", "long", "numpy", "python", "torch", "opencv"],
)
def test_what_the_system_refuses_is_one_line_that_names_it(function, words):
    line = told(raising(function))
    assert line.startswith(words) and "\n" not in line


@pytest.mark.parametrize(
    "function",
    [
        lambda: {}["key"],
        lambda: [] + 1,
        lambda: int("x"),
        lambda: torch.zeros(2) + torch.zeros(3),
        lambda: cv2.resize(np.zeros((0, 0), np.uint8), (4, 4)),
    ],
    ids=["lookup", "type", "value", "torch", "opencv"],
)
def test_a_fault_of_the_program_shows_its_traceback(function):
    assert told(raising(function)) is None
    with pytest.raises(type(raising(function))):
        run(function)


@pytest.mark.parametrize("error", [InputError("x: y"), OSError(errno.EIO, "broken", "x")])
def test_the_exit_code_is_2(error, caplog):
    def fail():
        raise error

    with pytest.raises(SystemExit) as ended:
        run(fail)
    assert ended.value.code == 2
    assert [record.message.split(":")[:2] for record in caplog.records] == [["error", " x"]]


def test_names_that_the_terminal_cannot_show_are_written_with_escapes(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    run(lambda: print("K\u00e4fer \udcff"))
    assert written.getvalue() == b"K\\xe4fer \\udcff\n"


@pytest.mark.parametrize(
    ("closing", "words"),
    [
        ("| head -c 0", b"error: standard output was closed before all was written\n"),
        ("> /dev/full", b"error: No space left on device\n"),
    ],
)
def test_an_output_that_takes_no_more_is_one_line(closing, words):
    program = (
        "from utils.cli.command import run\nrun(lambda: print('x' * 1000000))\n"
        if "head" in closing
        else "from utils.cli.command import run\nrun(lambda: print('x'))\n"
    )
    line = f'"{sys.executable}" -c "$PROGRAM" {closing}; exit ${{PIPESTATUS[0]}}'
    ended = subprocess.run(
        ["bash", "-c", line],
        cwd=REPOSITORY,
        env={**os.environ, "PROGRAM": program},
        capture_output=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (2, words)
