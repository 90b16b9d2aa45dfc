"""Validation: the task's scores over fixed samples."""

from typing import NamedTuple

import torch
from torch import Tensor

from models import Network
from utils.data.loader import Loader
from utils.device import autocast
from utils.signals import StopRequest
from utils.tasks import Task


class Validation(NamedTuple):
    """Means over the samples by name, and the pictures of the first batch."""

    scores: dict[str, float]
    pictures: tuple[Tensor, ...]


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
    pictures = None
    try:
        for sample in loader:
            if stop:
                return None
            batch = task.batch(sample, device, layout)
            with autocast(device, precision):
                output = network(*batch.inputs)
            for name, values in task.scores(output, batch).items():
                found.setdefault(name, []).append(values)
            pictures = pictures or task.pictures(output, batch)
    finally:
        network.train(was_training)
    means = {name: torch.cat(values).mean().item() for name, values in found.items()}
    return Validation(means, pictures)
