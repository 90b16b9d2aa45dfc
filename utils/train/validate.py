"""Validation: the alpha loss and SAD over fixed crops."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from models import Network
from utils.data.crops.crop_set import Sample
from utils.device import autocast
from utils.train.loss import alpha_loss, unknown_region


class Validation(NamedTuple):
    """Means over the samples, and the first batch as (image, trimap, truth, prediction)."""

    alpha_loss: float
    sad: float
    pictures: tuple[Tensor, ...]


def to_device(batch: Sample, device: torch.device, channels_last: bool) -> tuple[Tensor, ...]:
    """(image, trimap, alpha) as float32 in [0, 1] on the device, from 8-bit tensors."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    moved = (part.to(device, non_blocking=True) for part in batch)
    return tuple(part.float().div_(255).contiguous(memory_format=layout) for part in moved)


@torch.no_grad()
def validate(
    network: Network,
    loader: DataLoader,
    device: torch.device,
    precision: str,
    channels_last: bool,
) -> Validation:
    """Score `network` in evaluation mode; it is left in the mode it was in."""
    was_training = network.training
    network.eval()
    losses, sads, pictures = [], [], None
    for batch in loader:
        image, trimap, alpha = to_device(batch, device, channels_last)
        with autocast(device, precision):
            predicted = network(image, trimap)
        unknown = unknown_region(trimap)
        for p, a, u in zip(predicted.float(), alpha, unknown, strict=True):
            losses.append(alpha_loss(p, a, u))
            sads.append(((p - a).abs() * u).sum() / 1000)
        pictures = pictures or (image, trimap, alpha, predicted)
    network.train(was_training)
    return Validation(torch.stack(losses).mean().item(), torch.stack(sads).mean().item(), pictures)
