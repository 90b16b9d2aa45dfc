"""Tiny trainings for the tests of what trains."""

from dataclasses import dataclass
from pathlib import Path

import torch

import models
from models.network import Network
from utils import config as configs
from utils.config.options import Config
from utils.prune import History, Sparsity
from utils.train.loop import fit
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
        fit(self.objective, self.config, "train", **names, **gates, resume=resume)


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
