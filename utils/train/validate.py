"""Validation: the task's scores over fixed samples."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from models import Network
from utils import distributed
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

    Several processes score their shares; each gets the result of all.

    Args:
        stop: looked at before each batch; on a signal the validation is broken off: None.
    """
    was_training = network.training
    network.eval()
    scores: dict[str, list[Tensor]] = {}
    pictures: dict[str, list[Tensor]] = {}
    total, broken_off = len(loader.dataset), False
    shown, first = spread(total, PICTURES), distributed.share(total).start
    try:
        for sample in loader:
            if broken_off := bool(stop):
                break
            batch = task.batch(sample, device, layout)
            with autocast(device, precision):
                output = network(*batch.inputs)
            for name, values in task.scores(output, batch).items():
                scores.setdefault(name, []).append(values.cpu())
            places = [index - first for index in shown if 0 <= index - first < len(output)]
            for title, column in task.pictures(output, batch).items():
                pictures.setdefault(title, []).append(column[places].float().cpu())
            first += len(output)
    finally:
        network.train(was_training)
    shares = distributed.gathered_objects(None if broken_off else (scores, pictures))
    if None in shares:
        return None
    scores, pictures = (_joined(parts) for parts in zip(*shares, strict=True))
    means = {name: values.to(device).mean(0) for name, values in scores.items()}
    return Validation(task.summary(means), pictures)


def _joined(shares: Iterable[dict[str, list[Tensor]]]) -> dict[str, Tensor]:
    """What the processes have of each name, one after the other."""
    parts: dict[str, list[Tensor]] = {}
    for share in shares:
        for name, values in share.items():
            parts.setdefault(name, []).extend(values)
    return {name: torch.cat(values) for name, values in parts.items()}


def spread(total: int, count: int) -> list[int]:
    """Up to `count` of `total` places, as far from each other as can be.

    Neighbours among the samples that validate share their foreground.
    """
    count = min(count, total)
    return [index * total // count for index in range(count)]
