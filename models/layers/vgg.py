"""The encoder of VGG-16 (Simonyan and Zisserman, ICLR 2015), with and without BatchNorm."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.layers.basic import full_precision, scaled_unit, unit
from models.network import Encoder

WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = (2, 2, 3, 3, 3)
NORM = ("weight", "bias", "running_mean", "running_var")


class VggBlock(nn.Module):
    """3x3 units with a ReLU after each but the last; `max_pool` takes the map from there.

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
        made = unit if norms else scaled_unit
        inputs = [reads, *groups]
        self.units = nn.ModuleList(
            made(channels, a, b, 3, width, bias=True) for a, b in zip(inputs, groups, strict=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The last map before its ReLU."""
        *inner, last = self.units
        for one in inner:
            x = F.relu(one(x))
        # The places are all that the decoder sees of fine detail. In half precision neighbours
        # round to equal values and the first wins: of a photograph bfloat16 moves 8 to 28 % of
        # the places, with this one convolution in full precision 1 to 6 %.
        return full_precision(last, x)


def max_pool(x: Tensor) -> tuple[Tensor, Tensor]:
    """The maxima of 2x2 pixels, and the places of these for `torch.nn.functional.max_unpool2d`."""
    return F.max_pool2d(x, 2, return_indices=True)


def vgg_groups(convolutions: Sequence[int]) -> list[list[str]]:
    """Of each block the groups that its convolutions write: `encoderK.I`."""
    return [
        [f"encoder{k}.{i}" for i in range(1, count + 1)] for k, count in enumerate(convolutions, 1)
    ]


def vgg_encoder(norms: bool) -> Encoder:
    """Which entries of blocks `encoder1` to `encoder5` are which of torchvision's classifier."""
    entries, index = {}, 0  # its features: convolution, norm, ReLU; pooling at the ends of blocks
    for k, count in enumerate(CONVOLUTIONS, 1):
        for i in range(count):
            ours = f"encoder{k}.units.{i}"
            entries |= {f"{ours}.conv.{e}": f"features.{index}.{e}" for e in ("weight", "bias")}
            if norms:
                entries |= {f"{ours}.norm.{e}": f"features.{index + 1}.{e}" for e in NORM}
            index += 3 if norms else 2
        index += 1
    return Encoder("vgg16_bn" if norms else "vgg16", entries)
