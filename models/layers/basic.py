"""Layers that networks share, built on named channels."""

import torch
from torch import Tensor, nn

from models.channels import Channels, Conv, Groups, Norm, Scale, TransposedConv, without_autocast


class Unit(nn.Module):
    """A convolution and what follows it directly: its BatchNorm, or a learned scale."""

    def __init__(self, conv: Conv | TransposedConv, norm: Norm | Scale | nn.Identity) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm

    def forward(self, *maps: Tensor) -> Tensor:
        """Of several maps, what it gives of their concatenation."""
        return self.norm(self.conv(*maps))


def unit(
    channels: Channels, reads: Groups, writes: str, kernel: int, width: int | None = None, **options
) -> Unit:
    """A convolution and its BatchNorm; `options` are those of `Channels.conv`."""
    conv = channels.conv(reads, writes, kernel, width, **options)
    return Unit(conv, channels.norm(writes))


def scaled_unit(
    channels: Channels, reads: Groups, writes: str, kernel: int, width: int | None = None, **options
) -> Unit:
    """A convolution that no norm follows; in the pruning stage it has a learned scale."""
    conv = channels.conv(reads, writes, kernel, width, **options)
    return Unit(conv, channels.scale(writes))


class GlobalMean(nn.Module):
    """The mean over the picture of a map at the network's stride, (N,C,H,W) to (N,C,1,1).

    A layer of its own, so that the tiles of a picture can be given the mean of all of it.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


def full_precision(layer: Unit | Conv, x: Tensor) -> Tensor:
    """`layer(x)` in the type of its weights, also under autocast."""
    with without_autocast(x):
        return layer(x.to(next(layer.parameters()).dtype))


def laid_out_as(x: Tensor, weight: Tensor) -> Tensor:
    """`x` in the memory format that a convolution with that weight (O,I,K,K) computes in."""
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
