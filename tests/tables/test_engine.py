"""What runs the rows of a table on this machine: processes that end as they should."""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tables.work import call_all, die, lines, tell, wait_for, work_on
from utils.tables import engine as engines
from utils.tables.engine import Local
from utils.tables.work import last_word

# Stands for a script; the words say what it does.
SCRIPT = """
import logging, os
from models.errors import InputError

def main(words):
    logging.info("%s in %d", words[0], os.getpid())
    print("printed")
    if words[0] == "refuses":
        raise InputError("no such thing")
    if words[0] == "crashes":
        raise ValueError("odd")
"""


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Local(tmp_path / "jobs")
    yield made
    made.close()
    assert not made.folder.parent.exists()


def done(engine: Local, work: Callable[[], None]) -> object:
    """The job of the work, which has ended."""
    job = engine.submit(work, "work", [])
    wait_for(lambda: engine.ended({Path(): job}))
    return job


@pytest.mark.parametrize("devices", [None, "3"])
def test_a_job_has_a_process_and_a_session_of_its_own_and_our_devices(engine, monkeypatch, devices):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if devices:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
    handler = signal.getsignal(signal.SIGINT)
    done(engine, tell)
    process, session, seen = lines()[0].split()
    assert process == session != str(os.getpid()) and seen == str(devices)
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_does_not_reach_a_job_and_a_stopped_one_saves(engine):
    job = engine.submit(work_on, "work", [])
    wait_for(lambda: lines() == ["begun"])
    os.kill(int(job.job_id), signal.SIGINT)  # as the terminal does
    time.sleep(1)
    assert engine.ended({Path(): job}) == [] and lines() == ["begun"]
    engine.stop([job])
    assert engine.ended({Path(): job}) == [Path()] and lines() == ["begun", "saved"]


def test_a_job_that_was_killed_has_ended(engine):
    job = done(engine, die)
    assert engine.reason(job) == "its job ended early: killed, perhaps for want of memory"


def test_what_a_script_says_is_in_its_log_and_how_it_ended_is_told(engine):
    Path("script.py").write_text(SCRIPT)
    done(engine, partial(call_all, Path("script.py").resolve(), ["works", "refuses", "crashes"]))
    assert lines() == ["[0, 2, 1]"]
    text = Path("works").read_text()
    assert text.startswith("works in ") and text.endswith("\nprinted\n")
    assert last_word(Path("refuses"), 0, 2) == "no such thing"
    assert last_word(Path("crashes"), 0, 1) == "ValueError: odd"


@pytest.mark.parametrize(("ends_as", "requeued"), [("RUNNING", 1), ("COMPLETING", 0)])
def test_a_job_that_slurm_still_signals_waits_for_what_becomes_of_it(
    monkeypatch, ends_as, requeued
):
    states = iter([None, set(), {"SIGNALING"}, {ends_as}])
    monkeypatch.setattr(engines, "_squeue", lambda *words: next(states))
    monkeypatch.setattr(engines.time, "sleep", lambda seconds: None)
    environment = SimpleNamespace(cluster="slurm")
    monkeypatch.setattr(engines.submitit, "JobEnvironment", lambda: environment)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    calls = []
    codes = (signal.SIGUSR2, signal.SIGTERM)
    before = [signal.getsignal(code) for code in codes]
    signal.signal(signal.SIGUSR2, lambda *call: calls.append(call))
    try:
        with pytest.raises(SystemExit):
            engines._Task(sys.exit)()
    finally:
        for code, handler in zip(codes, before, strict=True):
            signal.signal(code, handler)
    assert len(calls) == requeued and not list(states)
