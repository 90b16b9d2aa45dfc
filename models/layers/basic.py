"""Layers that networks share, built on named channels."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels, Conv, Groups, Norm, Scale, TransposedConv


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
    channels: Channels,
    reads: Groups,
    writes: str,
    kernel: int,
    width: int | None = None,
    **options,
) -> Unit:
    """A convolution and its BatchNorm; `options` are those of `Channels.conv`."""
    conv = channels.conv(reads, writes, kernel, width, **options)
    return Unit(conv, channels.norm(writes))


class GlobalMean(nn.Module):
    """The mean over the picture of a map at the network's stride, (N,C,H,W) to (N,C,1,1).

    A layer of its own, so that the tiles of a picture can be given the mean of all of it.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


def scaled_unit(
    channels: Channels,
    reads: Groups,
    writes: str,
    kernel: int,
    width: int | None = None,
    **options,
) -> Unit:
    """A convolution that no norm follows; in the pruning stage it has a learned scale."""
    conv = channels.conv(reads, writes, kernel, width, **options)
    return Unit(conv, channels.scale(writes))


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection (MobileNetV2, Sandler et al., CVPR 2018).

    The identity is added where the block writes the group that it reads. The expanded channels are
    the group `hidden`; where that is the group read, there is no expansion.

    Args:
        width: full width of `writes`, where this block is the first to write it.
        expansion: how many times as wide as `reads` the hidden channels are.
        early_padding: pad with zeros before the expansion instead of after it, so that the
            depthwise convolution sees beyond the border what the expansion makes of zeros
            (IndexNet).
    """

    def __init__(
        self,
        channels: Channels,
        reads: str,
        hidden: str,
        writes: str,
        width: int | None,
        expansion: int,
        stride: int = 1,
        early_padding: bool = False,
    ) -> None:
        super().__init__()
        self.adds = reads == writes
        self.expand = None
        padding = 1
        if hidden != reads:
            early, padding = (1, 0) if early_padding else (0, 1)
            inner = expansion * channels.full[reads]
            self.expand = unit(channels, reads, hidden, 1, inner, padding=early)
        depthwise = channels.depthwise(hidden, 3, stride=stride, padding=padding)
        self.depthwise = Unit(depthwise, channels.norm(hidden))
        self.project = unit(channels, hidden, writes, 1, width)

    def forward(self, x: Tensor) -> Tensor:
        hidden = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(hidden), inplace=True))
        return x + y if self.adds else y


def inverted_residuals(
    channels: Channels,
    reads: str,
    layer: str,
    width: int,
    expansion: int,
    blocks: int,
    stride: int,
    early_padding: bool = False,
) -> nn.Sequential:
    """A layer of MobileNetV2: blocks that write the group `layer`, the first with the stride.

    Block I expands into the group `layer.I`; with expansion 1 it has none.

    Args:
        width: full width of `layer`.
        early_padding: of `InvertedResidual`.
    """
    made = []
    for index in range(1, blocks + 1):
        source = reads if index == 1 else layer
        hidden = f"{layer}.{index}" if expansion > 1 else source
        first = (width, expansion, stride) if index == 1 else (None, expansion, 1)
        block = InvertedResidual(channels, source, hidden, layer, *first, early_padding)
        made.append(block)
    return nn.Sequential(*made)


def laid_out_as(x: Tensor, weight: Tensor) -> Tensor:
    """`x` in the memory format that a convolution with that weight (O,I,K,K) computes in."""
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
