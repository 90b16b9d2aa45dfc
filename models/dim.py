"""DIM: a VGG-16 encoder with BatchNorm and a 5x5 max-unpooling decoder (Xu et al., CVPR 2017).

The form that DCP and SPKD train and prune: no skips, no refinement.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from models.channels import Channels
from models.layers.basic import unit
from models.layers.pooling import max_pool, max_unpool
from models.layers.vgg import (
    CONVOLUTIONS,
    WIDTHS,
    VggBlock,
    vgg_encoder,
    vgg_groups,
    vgg_radius,
    vgg_stages,
)
from models.network import Encoder, MattingNetwork, Stage, Stages, pad_to_least

SMALLEST = 32  # five poolings leave one pixel of it


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

    def __init__(self, channels: Channels, convolutions: Sequence[int] = CONVOLUTIONS) -> None:
        convolutions = list(convolutions)
        groups = vgg_groups(convolutions)
        pooled = [block[-1] for block in groups]
        structure = {"convolutions": convolutions}
        super().__init__(channels, structure, {**vgg_stages(groups), "decoder1": "matte"})

        channels.fix(image=3, trimap=1, matte=1)
        self.encoder1 = VggBlock(channels, ("image", "trimap"), groups[0], WIDTHS[0])
        self.encoder2 = VggBlock(channels, pooled[0], groups[1], WIDTHS[1])
        self.encoder3 = VggBlock(channels, pooled[1], groups[2], WIDTHS[2])
        self.encoder4 = VggBlock(channels, pooled[2], groups[3], WIDTHS[3])
        self.encoder5 = VggBlock(channels, pooled[3], groups[4], WIDTHS[4])
        decoder = channels.part("decoder")
        self.decoder5 = unit(decoder, pooled[4], pooled[3], 5, bias=True)
        self.decoder4 = unit(decoder, pooled[3], pooled[2], 5, bias=True)
        self.decoder3 = unit(decoder, pooled[2], pooled[1], 5, bias=True)
        self.decoder2 = unit(decoder, pooled[1], pooled[0], 5, bias=True)
        self.decoder1 = unit(decoder, pooled[0], "matte", 5, bias=True)

    @property
    def radius(self) -> int:
        return vgg_radius(self.structure["convolutions"])

    def compute(self, image: Tensor, trimap: Tensor, stages: Stages | None) -> Tensor:
        height, width = image.shape[-2:]
        x = torch.cat([self.normalise(image), trimap], 1)
        x = pad_to_least(x, SMALLEST)

        pooled_at = []
        for k in range(1, 6):
            block = getattr(self, f"encoder{k}")
            size = x.shape[-2:]
            pre = block(x)
            x, places = max_pool(F.relu(pre))
            pooled_at.append((places, size))
            if stages is not None:
                pre = F.max_pool2d(pre, 2) if stages.pre else None
                stages[f"encoder{k}"] = Stage(pre, x, block.units[-1].norm)
        for k in range(5, 0, -1):
            block = getattr(self, f"decoder{k}")
            places, size = pooled_at.pop()
            x = block(max_unpool(x, places, size))
            if stages is not None:
                stages[f"decoder{k}"] = Stage(x, x, block.norm)

        x = x[..., :height, :width]
        # Near 1, half precision cannot tell neighbouring 8-bit alphas apart.
        return torch.sigmoid(x.float() if x.dtype in (torch.bfloat16, torch.float16) else x)

    def encoder(self) -> Encoder | None:
        if self.structure["convolutions"] != list(CONVOLUTIONS):
            return None
        return vgg_encoder(self, norms=True)
