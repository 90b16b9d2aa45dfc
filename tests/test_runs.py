"""The scripts of runs/ make each shipped network, walked here at toy size."""

import functools
import os
import subprocess
import time
from pathlib import Path

import pytest

import models
import utils.render
from tests import scripts
from tests.scripts import REPOSITORY
from tests.sets import write_set

TOY = (
    "device=cpu network.pretrained=null train.precision=float32 data.workers=0 data.crop=32 "
    "data.crop_scales=[1.0] data.backgrounds_per_foreground=1 data.valid_backgrounds=1 "
    "train.epochs=1 train_pruned.epochs=1 train.batch_size=4 train_prune.batch_size=4 "
    "train_pruned.batch_size=4 train.picture_every=999"
)
# In place of Python: leaves its arguments, waits until they were run, and ends as they did.
STUB = """#!/bin/sh
printf '%s\\0' "$@" > call.part && mv call.part call
read code < answer
exit $code
"""


def walk(name: str) -> None:
    """Run `runs/NAME.sh` in the working folder, each of its Python commands in this process."""
    environment = os.environ | {"PYTHON": "./python", "OPTIONS": TOY}
    shell = subprocess.Popen(["bash", f"runs/{name}.sh"], env=environment)
    while shell.poll() is None:
        if not Path("call").exists():
            time.sleep(0.01)
            continue
        command = [word for word in Path("call").read_text().split("\0")[:-1] if word]
        Path("call").unlink()
        try:
            own = ("--workers", "0") if command[0] == "pre_process.py" else ()
            scripts.main(*command, *own)
            code = 0
        except BaseException:
            code = 1
            raise
        finally:
            Path("answer").write_text(f"{code}\n")
    assert shell.returncode == 0


@pytest.mark.slow
def test_every_shipped_network_is_made_by_its_script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("configs", "pretrained", "runs"):
        Path(name).symlink_to(REPOSITORY / name)
    Path("python").write_text(STUB)
    Path("python").chmod(0o755)
    os.mkfifo("answer")
    sizes = {"foregrounds": (2, 1), "backgrounds": (1, 1), "size": 64, "progress": False}
    small = functools.partial(utils.render.render, **sizes)
    monkeypatch.setattr(scripts.load("pre_process.py"), "render", small)
    write_set(Path("data/photos"))
    for name in ("data", "large", "medium", "small", "dim_quarter"):
        walk(name)
    assert len(Path("data/photos/train_names.txt").read_text().splitlines()) >= 3 + 3 * 2
    for name in ("large", "medium", "small", "dim_quarter"):
        made = models.load(f"result/{name}.safetensors")
        shipped = models.load(f"pretrained/{name}.safetensors")
        assert made.name == shipped.name and made.structure == shipped.structure
        assert made.plan.keys() == shipped.plan.keys()
