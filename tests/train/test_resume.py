"""Each training script, stopped in the middle and resumed, ends as the uninterrupted one."""

import os
import signal
from pathlib import Path

import pytest
import torch
import yaml

import models
import train
import train_prune
import train_pruned
from models.files import saving as files
from tests.trainings import content, same, stop_after, tiny_network

CONFIG = {
    "device": "cpu",
    "teacher": "teacher/BEST_checkpoint.tar",
    "network": {"name": "dim", "width": 1 / 32},
    "data": {"crop": 32, "backgrounds_per_foreground": 4, "valid_backgrounds": 1, "workers": 0},
    "distill": {"types": ["spatial", "channel", "ofd"], "stages": ["encoder2", "encoder3"]},
    "prune": {"rate": 0.5, "min_channels": 2, "sparsity": 1e-2, "weights": "inherit"},
    "train": {"epochs": 2, "batch_size": 3, "lr": 0.005, "ema": 0.5},
}
STEPS = 8


@pytest.fixture(scope="module")
def place(data, tmp_path_factory):
    """A working folder with a config and a teacher of twice the width."""
    folder = tmp_path_factory.mktemp("resume")
    content = {**CONFIG, "data": {**CONFIG["data"], "root": str(data.parent), "dataset": data.name}}
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    before = Path.cwd()
    os.chdir(folder)
    teacher = (f"save_dir={folder / 'teacher'}", "teacher=null", "network.width=0.0625")
    train.main(["--config", "config.yaml", *teacher, "train.epochs=1"])
    yield folder
    os.chdir(before)


@pytest.mark.parametrize(
    ("script", "last", "result", "step", "workers"),
    [
        (train, "checkpoint.tar", "BEST_checkpoint.tar", 3, 1),
        (train_prune, "checkpoint_prune.tar", "pruned.tar", 6, 0),
        (train_pruned, "checkpoint_pruned.tar", "BEST_pruned.tar", 4, 0),  # an epoch's last
    ],
)
def test_a_stopped_and_resumed_script_ends_as_the_whole_one(
    place, monkeypatch, script, last, result, step, workers
):
    runs = [place / f"{script.__name__}-{run}" for run in ("whole", "parts")]
    for folder in runs:
        folder.mkdir()
        files.save(folder / "pruned.tar", files.record(tiny_network(3)))
    more = ("--overwrite", f"data.workers={workers}")
    whole, parts = (["--config", "config.yaml", f"save_dir={folder}", *more] for folder in runs)
    script.main(whole)
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stopped:
        stop_after(step, patch)
        script.main(parts)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert files.read(runs[1] / last)["training"]["step"] == step
    parts.remove("--overwrite")
    script.main([*parts, "--resume"])
    assert files.read(runs[1] / last)["training"]["step"] == STEPS
    for file in (last, result):
        assert same(*(content(folder / file) for folder in runs)), file


def test_training_goes_on_from_the_network_of_a_file(place):
    start, out = place / "teacher" / "BEST_checkpoint.tar", place / "further"
    overrides = ("network.start=" + str(start), "network.width=1.0", "teacher=null")
    frozen = ("train.lr=1e-12", "train.epochs=1", "train.ema=0")
    train.main(["--config", "config.yaml", f"save_dir={out}", *overrides, *frozen])
    before, after = models.load(start), models.load(out / "checkpoint.tar")
    assert after.plan == before.plan
    torch.testing.assert_close(after.decoder1.conv.weight, before.decoder1.conv.weight)


@pytest.mark.parametrize("start", ["fresh", "teacher"])
def test_the_pruning_stage_starts_with_open_gates_or_from_the_teacher(place, start):
    out = place / f"pruning-{start}"
    options = (f"prune.start={start}", "prune.sparsity=0", "prune.rate=0")
    frozen = ("train.lr=1e-12", "train.epochs=1", "train.ema=0")
    train_prune.main(["--config", "config.yaml", f"save_dir={out}", *options, *frozen])
    teacher = models.load(place / "teacher" / "BEST_checkpoint.tar")
    after = models.load(out / "checkpoint_prune.tar")
    gate, shift = (getattr(after.encoder3.units[0].norm, name) for name in ("weight", "bias"))
    if start == "fresh":
        torch.testing.assert_close(gate, torch.full_like(gate, 0.5))
        assert not shift.any()
    else:
        torch.testing.assert_close(gate, teacher.encoder3.units[0].norm.weight)
        torch.testing.assert_close(shift, teacher.encoder3.units[0].norm.bias)
