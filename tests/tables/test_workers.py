"""Processes that run the scripts of a table one after the other, and how they end."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from utils.tables.running import _last_word
from utils.tables.workers import STOPPED, Workers

# Stands for a script that has imported PyTorch; the words say what it does.
SCRIPT = """
import logging, multiprocessing.util, os, pathlib, signal, sys, time
from models.errors import InputError

def main(words):
    what, *rest = words
    logging.info("%s in %d", what, os.getpid())
    print("printed")
    if what == "threads":
        import torch
        print(torch.get_num_threads())
        torch.set_num_threads(1)
    if what == "refuses":
        raise InputError("no such thing")
    if what == "crashes":
        raise ValueError("odd")
    if what == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "leaves":
        multiprocessing.util.Finalize(None, pathlib.Path(rest[0]).touch, exitpriority=0)
    if what == "waits":
        try:
            pathlib.Path(rest[0]).touch()
            time.sleep(60)
        finally:
            logging.info("saved")
"""


@pytest.fixture
def script(tmp_path) -> str:
    (tmp_path / "script.py").write_text(SCRIPT)
    return str(tmp_path / "script.py")


@pytest.fixture
def call():
    with Workers() as made:
        yield made


def process(log: Path) -> str:
    """The process that a log tells of, in its first line."""
    return log.read_text().splitlines()[0].split()[-1]


def test_one_process_runs_scripts_until_one_goes_wrong(script, call, tmp_path):
    logs = [tmp_path / f"log{index}" for index in range(5)]
    what = ["works", "works", "refuses", "crashes", "dies"]
    codes = [call(script, [one], log) for one, log in zip(what, logs, strict=True)]
    assert codes == [0, 0, 2, 1, -signal.SIGKILL]
    first, second, third, fourth, fifth = map(process, logs)
    assert first == second == third != fourth != fifth != third
    assert logs[0].read_text() == f"works in {first}\nprinted\n"
    assert [_last_word(log, 0, code) for log, code in zip(logs[2:], codes[2:], strict=True)] == [
        *("no such thing", "ValueError: odd", "ended by signal 9")
    ]


def test_scripts_side_by_side_are_in_processes_of_their_own_and_save_when_stopped(
    script, call, tmp_path
):
    begun = [tmp_path / f"begun{index}" for index in range(2)]
    logs = [tmp_path / f"log{index}" for index in range(2)]
    with ThreadPoolExecutor(2) as pool:
        ends = pool.map(lambda one, log: call(script, ["waits", str(one)], log), begun, logs)
        while not all(one.exists() for one in begun):
            time.sleep(0.01)
        call.stop()
        assert list(ends) == [STOPPED, STOPPED]
    assert process(logs[0]) != process(logs[1])
    assert all(log.read_text().splitlines()[-1] == "saved" for log in logs)
    assert call(script, ["works"], tmp_path / "after") == STOPPED
    assert not (tmp_path / "after").exists()


def test_a_process_that_is_stopped_between_scripts_cleans_up(script, tmp_path):
    with Workers() as call:
        assert call(script, ["leaves", str(tmp_path / "cleaned")], tmp_path / "log") == 0
        call.stop()
    assert (tmp_path / "cleaned").exists()


def test_ctrl_c_of_a_terminal_does_not_reach_a_script(script, tmp_path):
    begun, log = tmp_path / "begun", tmp_path / "log"
    with Workers() as call:
        thread = threading.Thread(target=call, args=(script, ["waits", str(begun)], log))
        thread.start()
        while not begun.exists():
            time.sleep(0.01)
        assert os.getpgid(int(process(log))) != os.getpgid(0)
        call.stop()
        thread.join()


def test_each_script_has_its_share_of_the_threads(script, tmp_path):
    with Workers(threads=3) as call:
        for index in range(2):
            assert call(script, ["threads"], tmp_path / f"log{index}") == 0
    assert [(tmp_path / f"log{index}").read_text().split()[-1] for index in range(2)] == ["3", "3"]
