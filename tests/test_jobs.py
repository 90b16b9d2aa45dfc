"""Jobs are done once each, in this process or in others; a worker that dies is one line."""

import os

import pytest

from models.errors import InputError
from utils.data.jobs import AHEAD, run


def halve(number: int) -> int:
    if number % 2:
        raise InputError(f"{number}: is odd; add 1")
    return number // 2


def die(_: int) -> None:
    os._exit(1)


def test_each_job_is_done_once_whatever_the_number_of_workers(tmp_path):
    jobs = range(0, 4 * AHEAD, 2)  # more than one worker is given ahead
    assert list(run(halve, jobs, 0, tmp_path)) == list(range(2 * AHEAD))
    assert sorted(run(halve, jobs, 1, tmp_path)) == list(range(2 * AHEAD))
    assert list(run(halve, [], 3, tmp_path)) == []


def test_bad_input_in_a_worker_is_the_same_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^3: is odd; add 1$"):
        list(run(halve, [3], 1, tmp_path))


def test_killed_worker_says_what_was_worked_on_and_the_cure(tmp_path):
    with pytest.raises(InputError) as caught:
        list(run(die, [0, 1], 1, tmp_path))
    assert str(caught.value).startswith(str(tmp_path))
    assert "fewer --workers" in str(caught.value) and "\n" not in str(caught.value)
