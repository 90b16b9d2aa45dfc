"""Jobs are done once each, in this process or in others; a worker that dies is one line."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.errors import InputError
from utils.cli.problems import warn_once
from utils.cli.processes import AHEAD, run


def halve(number: int) -> int:
    if number % 2:
        raise InputError(f"{number}: is odd; add 1")
    return number // 2


def warn(number: int) -> int:
    warn_once("a.png: odd")
    return number


def die(_: int) -> None:
    os._exit(1)


def test_each_job_is_done_once_whatever_the_number_of_workers(tmp_path):
    jobs = range(0, 4 * AHEAD, 2)  # more than one worker is given ahead
    assert list(run(halve, jobs, 0, tmp_path)) == list(range(2 * AHEAD))
    assert sorted(run(halve, jobs, 1, tmp_path)) == list(range(2 * AHEAD))
    assert list(run(halve, [], 3, tmp_path)) == []


def test_workers_warn_once_for_all(tmp_path, caplog, capfd):
    assert sorted(run(warn, range(6), 2, tmp_path)) == list(range(6))
    assert list(run(warn, range(3), 0, tmp_path)) == [0, 1, 2]
    assert caplog.messages == ["a.png: odd"] and capfd.readouterr().err == ""


def test_bad_input_in_a_worker_is_the_same_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^3: is odd; add 1$"):
        list(run(halve, [3], 1, tmp_path))


def test_killed_worker_says_what_was_worked_on_and_the_cure(tmp_path):
    with pytest.raises(InputError) as caught:
        list(run(die, [0, 1], 1, tmp_path))
    assert str(caught.value).startswith(str(tmp_path))
    assert "fewer --workers" in str(caught.value) and "\n" not in str(caught.value)


def test_processes_end_with_the_one_that_started_them():
    script = (
        "import time; from utils.cli.command import run as script\n"
        "from utils.cli.processes import run\n"
        "script(lambda: [print('.', flush=True) for _ in run(time.sleep, [0.1] * 9999, 2, 'here')])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    process.stdout.readline()  # they are at work
    process.kill()
    process.wait(timeout=30)
    deadline = time.monotonic() + 30
    while _alive_in_session(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _alive_in_session(session: int) -> bool:
    """Whether a process of the session runs; os.killpg(_, 0) would count one that has ended."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, found = entry.read_text().rpartition(")")[2].split()[:4]
            if int(found) == session and state != "Z":
                return True
    return False
