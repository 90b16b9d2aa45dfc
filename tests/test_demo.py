"""`make demo-scratch` at tiny size: stopped or repeated, it goes on; FRESH begins anew."""

import functools
import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

import utils.render
from tests import scripts
from tests.scripts import REPOSITORY
from tests.trainings import content, same, stop_after
from utils.train.objective import Objective

TINY = {
    "save_dir": "sample",
    "device": "cpu",
    "network": {"width": 1 / 32},
    "data": {"crop": 32, "backgrounds_per_foreground": 4, "valid_backgrounds": 1, "workers": 0},
    "distill": {"types": ["channel"], "stages": ["encoder2"]},
    "prune": {"min_channels": 2},
    "train": {"epochs": 1, "batch_size": 4, "picture_every": 9},
}
STEPS = 3  # of each of the three trainings
RESULTS = ("BEST_checkpoint.tar", "pruned.tar", "BEST_pruned.tar")


@pytest.fixture
def counted(monkeypatch, costless) -> list:
    """One entry for each step of a training; the sample is small, and nothing takes the time."""
    sizes = {"foregrounds": (4, 1), "backgrounds": (2, 1), "size": 64, "progress": False}
    small = functools.partial(utils.render.render, **sizes)
    monkeypatch.setattr(scripts.load("pre_process.py"), "render", small)
    forward, steps = Objective.forward, []
    monkeypatch.setattr(
        Objective, "forward", lambda self, batch: steps.append(None) or forward(self, batch)
    )
    return steps


def demo(folder: Path, *more: str, scores: bool = False) -> None:
    """What `make demo-scratch` runs in a folder, here; its test, which is slow, if asked for."""
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").touch()
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    os.chdir(folder)
    target = ["-f", str(REPOSITORY / "Makefile"), "demo-scratch", "CONFIG=tiny.yaml"]
    words = ["make", "-n", *target, *more]
    planned = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    for line in planned.stdout.splitlines():
        if line.startswith("rm "):
            subprocess.run(line, shell=True, timeout=60, check=True)
        python, *command = shlex.split(line)
        if python.endswith("/python") and command[0].endswith(".py"):
            if command[0] == "test.py" and not scores:
                continue
            own = ("--workers", "0") if command[0] == "pre_process.py" else ()
            scripts.main(*command, *own)


def stopped(folder: Path, step: int, *more: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stop_after(step, patch)
        with pytest.raises(SystemExit) as ended:
            demo(folder, *more)
    assert ended.value.code == 128 + signal.SIGTERM


def test_a_demo_that_is_stopped_in_each_training_ends_as_the_whole_one(
    tmp_path, monkeypatch, counted
):
    monkeypatch.chdir(tmp_path)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    demo(whole)
    assert len(counted) == 3 * STEPS
    results = [content(whole / "result" / "sample" / name) for name in RESULTS]
    for step in (2, STEPS, STEPS):  # the second of each training, after the last of the one before
        stopped(parts, step)
    demo(parts, scores=True)
    assert len(counted) == 2 * 3 * STEPS  # none was done twice
    assert all(map(same, results, (content(parts / "result/sample" / name) for name in RESULTS)))
    assert (parts / "result/sample/test/sheet.png").exists()
    demo(parts)
    assert len(counted) == 2 * 3 * STEPS
    stopped(parts, 2, "FRESH=yes")
    demo(parts)
    assert len(counted) == 3 * 3 * STEPS
    assert all(map(same, results, (content(parts / "result/sample" / name) for name in RESULTS)))
