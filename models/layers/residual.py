"""Residual blocks: basic ones, with ResNet-D's shortcut where they stride, and bottlenecks."""

from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.layers.basic import Unit, unit


class BasicBlock(nn.Module):
    """Two units, added to the block's input or to what a shortcut makes of it.

    The output is the sum before its activation (He et al., CVPR 2016).

    Args:
        slope: of the leaky ReLU in between; 0 is ReLU.
    """

    def __init__(
        self, first: Unit, second: Unit, shortcut: nn.Module | None = None, slope: float = 0.0
    ) -> None:
        super().__init__()
        self.first, self.second, self.slope = first, second, slope
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.leaky_relu(self.first(x), self.slope))
        return y + self.shortcut(x)


def basic_blocks(
    channels: Channels,
    reads: str,
    writes: str,
    blocks: int,
    width: int | None = None,
    *,
    stride: int = 1,
    spectral: bool = False,
) -> nn.Sequential:
    """A layer of a ResNet: blocks that add to the group `writes`, the first with the stride.

    In between, block I writes the group `writes.I`. A shortcut from another group averages
    stride x stride pixels, then has a 1x1 unit (ResNet-D; He et al., CVPR 2019).

    Args:
        width: full width of `writes`, where this layer is the first to write it.
    """
    inner, norm = width or channels.full[writes], {"spectral": spectral}
    layer = nn.Sequential()
    for index in range(1, blocks + 1):
        between, shortcut = f"{writes}.{index}", None
        first = unit(channels, reads, between, 3, inner, stride=stride, **norm)
        second = unit(channels, between, writes, 3, width, **norm)
        if reads != writes:
            project = unit(channels, reads, writes, 1, **norm)
            shortcut = nn.Sequential(nn.AvgPool2d(stride), project)
        layer.append(BasicBlock(first, second, shortcut))
        reads, width, stride = writes, None, 1
    return layer


def upsampling_blocks(
    channels: Channels,
    reads: str,
    writes: str,
    blocks: int,
    *,
    slope: float,
    spectral: bool = False,
) -> nn.Sequential:
    """A layer of GCA's decoder: blocks that add to the group `writes`, declared already.

    The first doubles both sides: its first unit is transposed, 4x4, and keeps the width. In
    between, block I writes the group `writes.I`.
    """
    norm, between = {"spectral": spectral}, f"{writes}.1"
    up = channels.transposed(reads, between, 4, channels.full[reads], padding=1, **norm)
    first = Unit(up, channels.norm(between))
    second = unit(channels, between, writes, 3, **norm)
    # The published order is the other one: the same values from four times as many pixels.
    shortcut = nn.Sequential(unit(channels, reads, writes, 1, **norm), nn.Upsample(scale_factor=2))
    layer = nn.Sequential(BasicBlock(first, second, shortcut, slope))
    for index in range(2, blocks + 1):
        between = f"{writes}.{index}"
        first = unit(channels, writes, between, 3, channels.full[writes], **norm)
        second = unit(channels, between, writes, 3, **norm)
        layer.append(BasicBlock(first, second, slope=slope))
    return layer


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 around a residual stream (ResNet, He et al., CVPR 2016).

    The stream is the group `writes`; the two hidden groups are `inner.1` and `inner.2`, a quarter
    as wide. Where the stream begins, a 1x1 convolution brings what is read to its width.

    Args:
        width: full width of `writes`, where this block is the first to write it.
    """

    def __init__(
        self,
        channels: Channels,
        reads: str,
        inner: str,
        writes: str,
        width: int | None = None,
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        hidden = (width or channels.full[writes]) // 4
        first, second = f"{inner}.1", f"{inner}.2"
        geometry = {"stride": stride, "dilation": dilation}
        self.reduce = unit(channels, reads, first, 1, hidden)
        self.middle = unit(channels, first, second, 3, hidden, **geometry)
        self.expand = unit(channels, second, writes, 1, width)
        self.shortcut = None
        if reads != writes:
            self.shortcut = unit(channels, reads, writes, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """The stream before its ReLU."""
        y = self.expand(F.relu(self.middle(F.relu(self.reduce(x)))))
        return y + (x if self.shortcut is None else self.shortcut(x))
