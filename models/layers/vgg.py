"""The encoder of VGG-16 (Simonyan and Zisserman, ICLR 2015), with and without BatchNorm."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.layers.basic import scaled_unit, unit
from models.network import Encoder

WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = (2, 2, 3, 3, 3)


class VggBlock(nn.Module):
    """3x3 units with a ReLU after each but the last, which is pooled after its own.

    Args:
        reads: the groups that the first unit reads.
        groups: what each unit writes.
        width: full width of these groups.
        norms: whether BatchNorms follow the convolutions.
    """

    def __init__(
        self,
        channels: Channels,
        reads: str | Sequence[str],
        groups: Sequence[str],
        width: int,
        norms: bool = True,
    ) -> None:
        super().__init__()
        make = unit if norms else scaled_unit
        inputs = [reads, *groups]
        self.units = nn.ModuleList(
            make(channels, a, b, 3, width, bias=True) for a, b in zip(inputs, groups, strict=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The last map before its ReLU."""
        *inner, last = self.units
        for one in inner:
            x = F.relu(one(x))
        return last(x)


def vgg_groups(convolutions: Sequence[int]) -> list[list[str]]:
    """Of each block the groups that its convolutions write: `encoderK.I`."""
    return [
        [f"encoder{k}.{i}" for i in range(1, count + 1)] for k, count in enumerate(convolutions, 1)
    ]


def vgg_stages(groups: Sequence[Sequence[str]]) -> dict[str, str]:
    """The group of each stage: what an encoder block pools, its decoder has unpooled."""
    pooled = [block[-1] for block in groups]
    encoder = {f"encoder{k}": pooled[k - 1] for k in range(1, 6)}
    return encoder | {f"decoder{k}": pooled[k - 2] for k in range(5, 1, -1)}


def vgg_radius(convolutions: Sequence[int], last: int = 0, deepest: int = 0) -> int:
    """How far a 5x5 decoder that unpools sees, as `Network.radius`.

    Args:
        last: pixels that layers after the decoder see further.
        deepest: the same of a layer between encoder and decoder, at stride 32.
    """
    radius = last
    for _ in range(5):  # a decoder's 5x5 sees 2 further, and all of each window it reaches
        radius = -(-(radius + 2) // 2)
    radius += deepest
    for count in reversed(convolutions):
        radius = 2 * radius + count
    return radius


def vgg_encoder(network: nn.Module, norms: bool) -> Encoder:
    """Which of torchvision's layers those of blocks `encoder1` to `encoder5` are."""
    layers, index = {}, 0  # its features: convolution, norm, ReLU; pooling at the ends of blocks
    for k, count in enumerate(CONVOLUTIONS, 1):
        for i in range(count):
            layers[f"encoder{k}.units.{i}.conv"] = f"features.{index}"
            if norms:
                layers[f"encoder{k}.units.{i}.norm"] = f"features.{index + 1}"
            index += 3 if norms else 2
        index += 1
    return Encoder.of(network, "vgg16_bn" if norms else "vgg16", layers)
