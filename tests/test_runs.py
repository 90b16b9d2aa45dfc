"""The scripts of runs/ make each shipped network, walked here at toy size."""

import functools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import models
import utils.render
from tests import scripts
from tests.scripts import REPOSITORY
from tests.sets import write_set
from tests.sources import fg, pack, write_pairs

TOY = (
    "device=cpu network.pretrained=null train.precision=float32 data.workers=0 data.crop=32 "
    "data.crop_scales=[1.0] data.backgrounds_per_foreground=1 data.valid_backgrounds=1 "
    "train.epochs=1 train_pruned.epochs=1 train.batch_size=4 train_prune.batch_size=4 "
    "train_pruned.batch_size=4 train.picture_every=999"
)
# In place of Python: leaves its arguments, waits until they were run, and ends as they did.
STUB = f"""#!/bin/sh
case $1 in benchmarks/*) exec {sys.executable} "$@" ;; esac
printf '%s\\0' "$@" > call.part && mv call.part call
read code < answer
exit $code
"""


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A working folder that has the repository's files and a Python for `walk`."""
    monkeypatch.chdir(tmp_path)
    for path in REPOSITORY.iterdir():
        if path.name not in (".git", "data", "result"):
            Path(path.name).symlink_to(path)
    Path("python").write_text(STUB)
    Path("python").chmod(0o755)
    os.mkfifo("answer")
    return tmp_path


def walk(name: str, **variables: str) -> str:
    """Run `runs/NAME.sh` in the working folder, each script in this process; what it prints."""
    environment = os.environ | {"PYTHON": "./python", "OPTIONS": TOY} | variables
    shell = subprocess.Popen(
        ["bash", f"runs/{name}.sh"], env=environment, stdout=subprocess.PIPE, text=True
    )
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
    return shell.stdout.read()


@pytest.mark.slow
def test_every_shipped_network_is_made_by_its_script(repository, monkeypatch):
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


def test_composition_1k_is_prepared_its_hours_are_told_and_its_table_begins(repository, capsys):
    for part in ("Training", "Test"):
        write_pairs(Path(f"adobe/Combined_Dataset/{part}_set"))
    for name in ("coco", "voc/VOCdevkit/VOC2008/JPEGImages"):
        fg(Path(name) / "bg.jpg")
    for folder, name in (
        ("adobe", "Adobe_Deep_Matting_Dataset.zip"),
        ("coco", "train2014.zip"),
        ("voc", "VOCtrainval_14-Jul-2008.tar"),
    ):
        pack(Path(folder), name)
    printed = walk("composition_1k", STEPS="--toy", TABLE="--list")
    hours, speed = re.search(r"about (\d+) hours.* ([\d.]+) samples a second", printed).groups()
    stages = re.findall(r"\| (\S.*?) +\| .* to do \|", capsys.readouterr().out)
    assert "SPKD / SPKD" in stages
    epochs = sum(15 if stage.startswith("pruning") else 30 for stage in stages)
    epochs -= 15 * stages.count("pruning UNI")
    assert int(hours) == pytest.approx(43100 * epochs / float(speed) / 3600, abs=1)
    assert len(list(Path("data/Composition-1k/test/composed/image").iterdir())) == 3 * 20
