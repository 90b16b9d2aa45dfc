"""DIM with skips and its refinement, without BatchNorm (Xu et al., CVPR 2017).

The form of pytorch-deep-image-matting: the skips, by addition, are its own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels, Conv
from models.layers.basic import full_precision, scaled_unit
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
from models.network import Encoder, MattingNetwork, Stage, Stages, pad_to_multiple

NARROW, WIDE = (512, 3), (4096, 7)  # width and kernel of conv6
REFINEMENT = ("refinement.1", "refinement.2", "refinement.3")


class DimVgg(MattingNetwork):
    """DIM without BatchNorm on a plan; 28,373,954 parameters at full width.

    Group `encoderK.I` is what the I-th convolution of block K writes. The decoder unpools at the
    places of the encoder's maxima and adds the map from before the pooling, channel by channel: so
    `decoder{K+1}` writes the group that `encoderK` pools. `encoder6` and `decoder6` are conv6 and
    deconv6 of the paper.

    Args:
        refine: whether four convolutions refine the matte, as in stages 2 and 3.
        wide: conv6 as in the paper, 7x7 with 4096 channels, instead of 3x3 with 512.
    """

    name = "dim_vgg"

    def __init__(self, channels: Channels, refine: bool = True, wide: bool = False) -> None:
        groups = vgg_groups(CONVOLUTIONS)
        pooled = [block[-1] for block in groups]
        structure = {"refine": refine, "wide": wide}
        super().__init__(channels, structure, {**vgg_stages(groups), "decoder1": "decoder1"})

        channels.fix(image=3, trimap=1, matte=1)
        for k, reads in enumerate((("image", "trimap"), *pooled[:4])):
            block = VggBlock(channels, reads, groups[k], WIDTHS[k], norms=False)
            setattr(self, f"encoder{k + 1}", block)
        width, kernel = WIDE if wide else NARROW
        self.encoder6 = scaled_unit(channels, pooled[4], "encoder6", kernel, width, bias=True)

        decoder = channels.part("decoder")
        self.decoder6 = scaled_unit(decoder, "encoder6", pooled[4], 1, bias=True)
        for k in range(5, 1, -1):
            unit = scaled_unit(decoder, pooled[k - 1], pooled[k - 2], 5, bias=True)
            setattr(self, f"decoder{k}", unit)
        self.decoder1 = scaled_unit(decoder, pooled[0], "decoder1", 5, 64, bias=True)
        self.matte = decoder.conv("decoder1", "matte", 5, bias=True)
        if refine:
            inputs = (("image", "matte"), *REFINEMENT)
            self.refinement = nn.ModuleList(
                scaled_unit(decoder, a, b, 3, 64, bias=True)
                for a, b in zip(inputs, REFINEMENT, strict=False)
            )
            self.refined = decoder.conv(REFINEMENT[-1], "matte", 3, bias=True)
        self._initialise()

    def _initialise(self) -> None:
        """No norm restores the size of maps, so that they must keep it (He et al., ICCV 2015)."""
        for layer in self.modules():
            if isinstance(layer, Conv):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        if self.structure["refine"]:  # begins by changing nothing
            nn.init.zeros_(self.refined.weight)

    @property
    def radius(self) -> int:
        last = 2 + (4 if self.structure["refine"] else 0)
        return vgg_radius(CONVOLUTIONS, last, self.encoder6.conv.kernel_size[0] // 2)

    def compute(self, image: Tensor, trimap: Tensor, stages: Stages | None) -> Tensor:
        height, width = image.shape[-2:]
        image, trimap = pad_to_multiple(image, self.stride), pad_to_multiple(trimap, self.stride)
        image = self.normalise(image)

        x = torch.cat([image, trimap], 1)
        skips = []
        for k in range(1, 6):
            pre = getattr(self, f"encoder{k}")(x)
            skip = F.relu(pre)
            x, places = max_pool(skip)
            skips.append((places, skip))
            if stages is not None:
                pre = F.max_pool2d(pre, 2) if stages.pre else None
                stages[f"encoder{k}"] = Stage(pre, x, None)
        x = F.relu(self.encoder6(x))
        x = F.relu(self.decoder6(x))
        for k in range(5, 0, -1):
            places, skip = skips.pop()
            x = max_unpool(x, places, skip.shape[2:]) + skip
            x = getattr(self, f"decoder{k}")(x)
            if stages is not None:
                stages[f"decoder{k}"] = Stage(x, F.relu(x), None)
            x = F.relu(x)
        # Near 1, half precision cannot tell neighbouring 8-bit alphas apart.
        raw = full_precision(self.matte_layer, x)
        if self.structure["refine"]:
            coarse = torch.sigmoid(raw)
            if stages is not None and self.training:
                stages.auxiliary = coarse[..., :height, :width]
            x = torch.cat([image, coarse], 1)
            for unit in self.refinement:
                x = F.relu(unit(x))
            raw = raw + full_precision(self.refined, x)
        return torch.sigmoid(raw)[..., :height, :width]

    def encoder(self) -> Encoder:
        encoder = vgg_encoder(self, norms=False)
        if self.structure["wide"]:
            encoder.entries.update(
                {f"encoder6.conv.{entry}": f"classifier.0.{entry}" for entry in ("weight", "bias")}
            )
        return encoder
