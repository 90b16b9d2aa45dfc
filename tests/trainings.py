"""Tiny trainings for the tests of what trains."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import models
from models.network import Network
from utils import config as configs
from utils.config.options import Config
from utils.prune import History, Sparsity
from utils.train.loop import Run
from utils.train.objective import Objective

TINY = 1 / 32


def tiny_config(data: Path, *overrides: str) -> Config:
    return configs.load(
        None,
        [
            f"data.root={data.parent}",
            f"data.dataset={data.name}",
            "data.crop=32",
            "data.backgrounds_per_foreground=4",
            "data.valid_backgrounds=2",
            "data.workers=0",
            "train.epochs=2",
            "train.batch_size=3",
            "train.precision=float32",
            "distill.stages=[encoder2,encoder3]",
            *overrides,
        ],
    )


def tiny_network(seed: int = 0, width: float = TINY) -> Network:
    torch.manual_seed(seed)
    return models.build("dim", models.scaled_plan("dim", width))


@dataclass
class Training:
    """A tiny training, as train.py puts it together; its files are in `folder`."""

    objective: Objective
    config: Config
    sparsity: Sparsity | None = None
    history: History | None = None

    @property
    def network(self) -> Network:
        return self.objective.network

    @property
    def last(self) -> Path:
        return self.config.folder / "checkpoint.tar"

    @property
    def best(self) -> Path:
        return self.config.folder / "BEST_checkpoint.tar"

    def fit(self, resume: bool = False) -> None:
        names = {"last": self.last.name, "best": self.best.name}
        gates = {"sparsity": self.sparsity, "history": self.history}
        Run(self.objective, self.config, "train", **names, **gates, resume=resume).fit()


def tiny_training(
    config: Config,
    folder: Path,
    teacher_seed: int | None = None,
    kind: type[Objective] = Objective,
) -> Training:
    config = config.model_copy(update={"save_dir": str(folder)})
    teacher = None
    if teacher_seed is not None:
        teacher = tiny_network(teacher_seed, 2 * TINY).eval().requires_grad_(False)
    return Training(kind(tiny_network(), config, teacher), config)


def stop_after(step: int, patch: pytest.MonkeyPatch) -> None:
    """SIGTERM reaches the training during that step, once."""
    forward, calls = Objective.forward, []

    def counted(self, batch):
        calls.append(None)
        if len(calls) == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return forward(self, batch)

    patch.setattr(Objective, "forward", counted)


def content(path: Path) -> dict:
    """What a file holds, without its folder, and the digest that depends on it."""
    found = torch.load(path, weights_only=True)
    del found["digest"]
    found.get("training", {}).pop("config", None)
    return found


def same(one: object, other: object) -> bool:
    """Whether networks, tensors or what holds them are equal to the bit."""
    if isinstance(one, torch.nn.Module):
        return same(dict(one.state_dict()), dict(other.state_dict()))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
