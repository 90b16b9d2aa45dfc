"""Validation: the task's scores over fixed samples."""

from typing import NamedTuple

import torch
from torch import Tensor

from models import Network
from utils.cli.signals import StopRequest
from utils.data.loader import Loader
from utils.networks.device import autocast
from utils.tasks import Task

PICTURES = 4


class Validation(NamedTuple):
    """Scores of the set by name, and the task's pictures of samples from all over it."""

    scores: dict[str, float]
    pictures: dict[str, Tensor]


@torch.no_grad()
def validate(
    network: Network,
    task: Task,
    loader: Loader,
    device: torch.device,
    precision: str,
    layout: torch.memory_format,
    stop: StopRequest | None = None,
) -> Validation | None:
    """Score `network` in evaluation mode; it is left in the mode it was in.

    Args:
        stop: looked at before each batch; on a signal the validation is broken off: None.
    """
    was_training = network.training
    network.eval()
    scores: dict[str, list[Tensor]] = {}
    pictures: dict[str, list[Tensor]] = {}
    shown, first = spread(len(loader.dataset), PICTURES), 0
    try:
        for sample in loader:
            if stop:
                return None
            batch = task.batch(sample, device, layout)
            with autocast(device, precision):
                output = network(*batch.inputs)
            for name, values in task.scores(output, batch).items():
                scores.setdefault(name, []).append(values)
            places = [index - first for index in shown if 0 <= index - first < len(output)]
            for title, column in task.pictures(output, batch).items():
                pictures.setdefault(title, []).append(column[places].float().cpu())
            first += len(output)
    finally:
        network.train(was_training)
    means = {name: torch.cat(values).mean(0) for name, values in scores.items()}
    return Validation(
        task.summary(means), {title: torch.cat(parts) for title, parts in pictures.items()}
    )


def spread(total: int, count: int) -> list[int]:
    """Up to `count` of `total` places, as far from each other as can be.

    Neighbours among the samples that validate share their foreground.
    """
    count = min(count, total)
    return [index * total // count for index in range(count)]
