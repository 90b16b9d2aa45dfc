"""Jobs of a real Slurm: their order, and that those that make room come back."""

import subprocess
import time
from functools import partial

import pytest

from models.errors import InputError
from tests.tables.work import add, die, fail, lines, wait_for, work_on
from utils.tables.engine import Slurm, slurm_options


@pytest.fixture
def engine(slurm, monkeypatch) -> Slurm:
    monkeypatch.setattr(Slurm, "poll", 0.5)
    return Slurm(slurm / "jobs", slurm_options("partition=tests,cpus=1,hours=1"))


def ended(engine: Slurm, *jobs) -> bool:
    return len(engine.ended(dict(enumerate(jobs)))) == len(jobs)


def test_a_job_waits_for_those_it_comes_after_and_is_cancelled_where_one_failed(engine):
    first = engine.submit(partial(add, "first"), "first", [])
    second = engine.submit(partial(add, "second"), "second", [first])
    bad = engine.submit(fail, "bad", [first])
    never = engine.submit(partial(add, "never"), "never", [second, bad])
    wait_for(lambda: ended(engine, first, second, bad, never))
    assert lines() == ["first", "second"]


@pytest.mark.parametrize(("given", "threads"), [(None, 3), ("1", None)])
def test_a_job_has_a_thread_for_each_cpu_unless_their_number_is_set(
    slurm, monkeypatch, given, threads
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert Slurm(slurm / "jobs", slurm_options("cpus=3")).threads == threads


def test_jobs_of_one_name_are_never_there_at_once(engine, slurm):
    other = Slurm(slurm / "jobs", slurm_options("partition=tests"))  # as another tables.py
    first = engine.submit(partial(time.sleep, 3), "row", [])
    second = other.submit(partial(add, "second"), "row", [])
    wait_for(lambda: ended(engine, first))
    assert lines() == []
    wait_for(lambda: ended(engine, second))
    assert lines() == ["second"]


@pytest.mark.parametrize(
    "command",
    [
        ["srun", "--partition=urgent", "--cpus-per-task=4", "true"],
        ["scontrol", "requeue"],
        ["scancel", "--signal=USR2"],
    ],
    ids=["preempted", "requeued", "out of time"],
)
def test_a_job_that_makes_room_saves_and_comes_back(engine, command):
    job = engine.submit(work_on, "row", [])
    after = engine.submit(partial(add, "after"), "after", [job])
    wait_for(lambda: lines() == ["begun"])
    time.sleep(1)
    subprocess.run(command if command[0] == "srun" else [*command, job.job_id], check=True)
    wait_for(lambda: ended(engine, job, after))
    assert lines() == ["begun", "saved", "begun", "after"], (job.stdout(), job.stderr())


def test_a_job_that_is_stopped_saves_and_does_not_come_back(engine):
    job = engine.submit(work_on, "row", [])
    wait_for(lambda: lines() == ["begun"])
    engine.stop([job])
    wait_for(lambda: ended(engine, job))
    assert lines() == ["begun", "saved"]
    state = ["scontrol", "show", "job", job.job_id]
    assert "JobState=CANCELLED" in subprocess.check_output(state, text=True)


def test_a_job_that_was_killed_says_what_slurm_says(engine):
    job = engine.submit(die, "row", [])
    wait_for(lambda: ended(engine, job))
    assert engine.reason(job).startswith("its job ended early: srun: error: ")


def test_what_slurm_refuses_is_one_line(slurm):
    engine = Slurm(slurm / "jobs", slurm_options("partition=none"))
    with pytest.raises(InputError, match=r"^--slurm: .*[Ii]nvalid partition name specified$"):
        engine.submit(fail, "row", [])
    engine.stop([])
    assert not list(slurm.iterdir())
