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
    found: dict[str, list[Tensor]] = {}
    columns: dict[str, list[Tensor]] = {}
    first = 0
    try:
        for sample in loader:
            if stop:
                return None
            batch = task.batch(sample, device, layout)
            with autocast(device, precision):
                output = network(*batch.inputs)
            for name, values in task.scores(output, batch).items():
                found.setdefault(name, []).append(values)
            count = len(output)
            shown = [index - first for index in spread(len(loader.dataset), PICTURES)]
            shown = [index for index in shown if 0 <= index < count]
            for title, column in task.pictures(output, batch).items():
                columns.setdefault(title, []).append(column[shown].float().cpu())
            first += count
    finally:
        network.train(was_training)
    means = {name: torch.cat(values).mean(0) for name, values in found.items()}
    return Validation(
        task.summary(means), {title: torch.cat(parts) for title, parts in columns.items()}
    )


def spread(total: int, count: int) -> list[int]:
    """Up to `count` of `total` places, as far from each other as can be.

    Neighbours among the samples that validate share their foreground.
    """
    count = min(count, total)
    return [index * total // count for index in range(count)]
