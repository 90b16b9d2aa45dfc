"""Tiny trainings for the tests of what trains."""

from pathlib import Path

import torch

import models
from models.network import Network
from utils import config as configs
from utils.options import Config
from utils.train import loop
from utils.train.assemble import assemble

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


def tiny_task(config: Config, folder: Path, teacher_seed: int | None = None) -> loop.Task:
    teacher = None
    if teacher_seed is not None:
        teacher = tiny_network(teacher_seed, 2 * TINY).eval().requires_grad_(False)
    task = assemble(
        config, "train", tiny_network(), teacher, last="checkpoint.tar", best="BEST_checkpoint.tar"
    )
    task.last, task.best = folder / "checkpoint.tar", folder / "BEST_checkpoint.tar"
    return task
