"""DIM: a VGG-16 encoder with BatchNorm and a 5x5 max-unpooling decoder (Xu et al., CVPR 2017).

The form that DCP and SPKD train and prune: no skips, no refinement.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.errors import InputError
from models.layers import unit
from models.matting import MattingNetwork
from models.network import Encoder, Stage, Stages
from models.precision import without_autocast

WIDTHS = (64, 128, 256, 512, 512)
VGG16 = (2, 2, 3, 3, 3)
NORM = ("weight", "bias", "running_mean", "running_var")
MOST = 20  # convolutions of a block; no VGG has more than 4
SMALLEST = 32  # five poolings leave one pixel of it


class EncoderBlock(nn.Module):
    """3x3 units with ReLU, then 2x2 max-pooling that remembers where each maximum was."""

    def __init__(
        self, channels: Channels, reads: str | Sequence[str], groups: Sequence[str], width: int
    ) -> None:
        super().__init__()
        inputs = [reads, *groups]
        self.units = nn.ModuleList(
            unit(channels, a, b, 3, width, bias=True) for a, b in zip(inputs, groups, strict=False)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(the last map before its ReLU, the pooled map after it, the places of the maxima)."""
        *inner, last = self.units
        for one in inner:
            x = F.relu(one(x))
        # The places are all that the decoder sees of fine detail. In half precision neighbours
        # round to equal values and the first wins: of a photograph bfloat16 moves 8 to 28 % of
        # the places, with this one convolution in full precision 1 to 6 %.
        with without_autocast(x):
            pre = last(x.to(last.conv.weight.dtype))
        pooled, places = F.max_pool2d(F.relu(pre), 2, return_indices=True)
        return pre, pooled, places


class Dim(MattingNetwork):
    """DIM on a plan; 25,582,595 parameters at full width.

    Group `encoderK.I` is what the I-th convolution of block K writes. The decoder unpools at the
    places of the encoder's maxima, channel by channel, so `decoder{K+1}` writes the group that
    `encoderK` pools.

    Args:
        convolutions: how many the encoder blocks have. VGG-16's are (2, 2, 3, 3, 3), the fixed
            student of SPKD has (1, 1, 1, 2, 2).
    """

    name = "dim"

    def __init__(self, channels: Channels, convolutions: Sequence[int] = VGG16) -> None:
        convolutions = _checked(convolutions)
        groups = [
            [f"encoder{k}.{i}" for i in range(1, count + 1)]
            for k, count in enumerate(convolutions, 1)
        ]
        pooled = [block[-1] for block in groups]
        stages = {f"encoder{k}": pooled[k - 1] for k in range(1, 6)}
        stages |= {f"decoder{k}": pooled[k - 2] for k in range(5, 1, -1)}
        structure = {"convolutions": convolutions}
        super().__init__(channels, structure, {**stages, "decoder1": "matte"})

        channels.fix(image=3, trimap=1, matte=1)
        self.encoder1 = EncoderBlock(channels, ("image", "trimap"), groups[0], WIDTHS[0])
        self.encoder2 = EncoderBlock(channels, pooled[0], groups[1], WIDTHS[1])
        self.encoder3 = EncoderBlock(channels, pooled[1], groups[2], WIDTHS[2])
        self.encoder4 = EncoderBlock(channels, pooled[2], groups[3], WIDTHS[3])
        self.encoder5 = EncoderBlock(channels, pooled[3], groups[4], WIDTHS[4])
        decoder = channels.part("decoder")
        self.decoder5 = unit(decoder, pooled[4], pooled[3], 5, bias=True)
        self.decoder4 = unit(decoder, pooled[3], pooled[2], 5, bias=True)
        self.decoder3 = unit(decoder, pooled[2], pooled[1], 5, bias=True)
        self.decoder2 = unit(decoder, pooled[1], pooled[0], 5, bias=True)
        self.decoder1 = unit(decoder, pooled[0], "matte", 5, bias=True)

    @property
    def radius(self) -> int:
        reach = 0
        for _ in range(5):  # a decoder's 5x5 sees 2 further, and all of each window it reaches
            reach = -(-(reach + 2) // 2)
        for convolutions in reversed(self.structure["convolutions"]):
            reach = 2 * reach + convolutions
        return reach

    def compute(self, image: Tensor, trimap: Tensor, stages: Stages | None) -> Tensor:
        height, width = image.shape[-2:]
        x = torch.cat([self.normalise(image), trimap], 1)
        x = F.pad(x, (0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height)), "replicate")

        pooled_at = []
        for k in range(1, 6):
            block = getattr(self, f"encoder{k}")
            size = x.shape[-2:]
            pre, x, places = block(x)
            pooled_at.append((places, size))
            if stages is not None:
                pre = F.max_pool2d(pre, 2) if stages.pre else None
                stages[f"encoder{k}"] = Stage(pre, x, block.units[-1].norm)
        for k in range(5, 0, -1):
            block = getattr(self, f"decoder{k}")
            places, size = pooled_at.pop()
            x = block(F.max_unpool2d(x, places, 2, output_size=size))
            if stages is not None:
                stages[f"decoder{k}"] = Stage(x, x, block.norm)

        x = x[..., :height, :width]
        # Near 1, half precision cannot tell neighbouring 8-bit alphas apart.
        return torch.sigmoid(x.float() if x.dtype in (torch.bfloat16, torch.float16) else x)

    def encoder(self) -> Encoder | None:
        if self.structure["convolutions"] != list(VGG16):
            return None
        entries, index = {}, 0  # torchvision's features: convolution, norm, ReLU; pooling at ends
        for k in range(1, 6):
            for i in range(len(getattr(self, f"encoder{k}").units)):
                ours = f"encoder{k}.units.{i}"
                conv, norm = f"features.{index}", f"features.{index + 1}"
                entries |= {f"{ours}.conv.{e}": f"{conv}.{e}" for e in ("weight", "bias")}
                entries |= {f"{ours}.norm.{e}": f"{norm}.{e}" for e in NORM}
                index += 3
            index += 1
        return Encoder("vgg16_bn", entries)


def _checked(convolutions: Sequence[int]) -> list[int]:
    counts = list(convolutions)
    if len(counts) != 5 or not all(type(n) is int and 1 <= n <= MOST for n in counts):
        raise InputError(f"dim: convolutions is {counts}; give five whole numbers from 1 to {MOST}")
    return counts
