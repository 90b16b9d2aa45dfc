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
from utils.train.objective import Objective

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


def stop_after(step: int, monkeypatch) -> None:
    """SIGTERM reaches the training during that step, once."""
    forward, calls = Objective.forward, []

    def counted(self, batch):
        calls.append(None)
        if len(calls) == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return forward(self, batch)

    monkeypatch.setattr(Objective, "forward", counted)


def content(path) -> dict:
    """What a file holds, without its folder, and the digest that depends on it."""
    found = torch.load(path, weights_only=True)
    del found["digest"]
    found.get("training", {}).pop("config", None)
    return found


def same(one: object, other: object) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.parametrize("step", [3, 4, 6])
@pytest.mark.parametrize(
    ("script", "last", "results"),
    [
        (train, "checkpoint.tar", ["BEST_checkpoint.tar"]),
        (train_prune, "checkpoint_prune.tar", ["pruned.tar"]),
        (train_pruned, "checkpoint_pruned.tar", ["BEST_pruned.tar"]),
    ],
)
def test_a_stopped_and_resumed_script_ends_as_the_whole_one(
    place, monkeypatch, script, last, results, step
):
    name = script.__name__
    runs = {run: place / f"{name}-{step}-{run}" for run in ("whole", "parts")}
    for folder in runs.values():
        folder.mkdir()
        if script is train_pruned:
            files.save(folder / "pruned.tar", files.record(small()))
    arguments = {run: ["--config", "config.yaml", f"save_dir={runs[run]}"] for run in runs}
    script.main(arguments["whole"])
    with monkeypatch.context() as patch:
        stop_after(step, patch)
        with pytest.raises(SystemExit) as stopped:
            script.main(arguments["parts"])
    assert stopped.value.code == 128 + signal.SIGTERM
    assert files.read(runs["parts"] / last)["training"]["step"] == step
    script.main([*arguments["parts"], "--resume"])
    assert files.read(runs["parts"] / last)["training"]["step"] == STEPS
    for file in (last, *results):
        assert same(content(runs["whole"] / file), content(runs["parts"] / file)), file


def small() -> models.Network:
    torch.manual_seed(3)
    return models.build("dim", models.scaled_plan("dim", 1 / 32))


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
