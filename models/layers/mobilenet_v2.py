"""MobileNetV2's blocks and layers, and which of torchvision's weights they can start from.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.layers.basic import Unit, unit
from models.network import Encoder

STEM = 32  # channels of layer0
# Of each layer after it: width, expansion, blocks, stride.
LAYERS = {
    "layer1": (16, 1, 1, 1),
    "layer2": (24, 6, 2, 2),
    "layer3": (32, 6, 3, 2),
    "layer4": (64, 6, 4, 2),
    "layer5": (96, 6, 3, 1),
    "layer6": (160, 6, 3, 2),
    "layer7": (320, 6, 1, 1),
}


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection.

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
    made = nn.Sequential()
    for index in range(1, blocks + 1):
        source = reads if index == 1 else layer
        hidden = f"{layer}.{index}" if expansion > 1 else source
        first = (width, expansion, stride) if index == 1 else (None, expansion, 1)
        made.append(InvertedResidual(channels, source, hidden, layer, *first, early_padding))
    return made


def imagenet_encoder(network: nn.Module) -> Encoder:
    """Of a network with the unit `layer0` and the layers of `LAYERS`."""
    layers = {"layer0.conv": "features.0.0", "layer0.norm": "features.0.1"}
    index = 1  # of torchvision's features; each is a block
    for layer in LAYERS:
        for place, block in enumerate(getattr(network, layer)):
            ours, theirs = f"{layer}.{place}", f"features.{index}.conv"
            units = ["expand", "depthwise"] if block.expand else ["depthwise"]
            for i, part in enumerate(units):
                layers[f"{ours}.{part}.conv"] = f"{theirs}.{i}.0"
                layers[f"{ours}.{part}.norm"] = f"{theirs}.{i}.1"
            layers[f"{ours}.project.conv"] = f"{theirs}.{len(units)}"
            layers[f"{ours}.project.norm"] = f"{theirs}.{len(units) + 1}"
            index += 1
    return Encoder.of(network, "mobilenet_v2", layers)
