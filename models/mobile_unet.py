"""MobileUnet: MobileNetV2 at its native strides and a small U-Net decoder.

The network that two CPU cores can train. Nobody published it; its encoder is that of Sandler et
al., CVPR 2018, as torchvision builds it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.errors import InputError
from models.layers.basic import GlobalMean, full_precision, laid_out_as, unit
from models.layers.mobilenet_v2 import LAYERS, STEM, imagenet_encoder, inverted_residuals
from models.layers.propagation import ColourGuess
from models.network import Encoder, MattingNetwork, Stage, Stages, one_hot, pad_to_multiple

STAGES = {1: "layer1", 2: "layer2", 3: "layer3", 4: "layer5", 5: "layer7"}
WIDEST = 100  # times the decoder's widths
INPUT = ("image", "known")
GUESS = 7  # channels of `ColourGuess`
BAND = 64  # rows
BANDED = 1 << 19  # pixels; up to here the processor's caches help as much


class MobileUnet(MattingNetwork):
    """MobileNetV2 and a U-Net decoder on a plan; 2,153,549 parameters at full width.

    Group `layerK` is the stream of layer K, `layerK.I` what its I-th block expands it to.

    Args:
        decoder: the decoder's widths times this, rounded; 2 takes 1.46 GMAC at 224, 1 0.65.
        guess: also read what `ColourGuess` makes of the picture; 0.10 GMAC more at decoder 2.
    """

    name = "mobile_unet"

    def __init__(self, channels: Channels, decoder: float = 1, guess: bool = False) -> None:
        number = isinstance(decoder, (int, float)) and not isinstance(decoder, bool)
        if not number or not 0 < decoder <= WIDEST:
            raise InputError(
                f"{self.name}: decoder is {decoder!r}; give a number above 0, up to {WIDEST}"
            )
        stages = {f"encoder{k}": group for k, group in STAGES.items()}
        stages |= {name: name for name in ("decoder4", "decoder3", "decoder2", "decoder1")}
        super().__init__(channels, {"decoder": decoder, "guess": guess}, stages)
        channels.fix(image=3, known=3, matte=1)
        picture = INPUT
        self.guess = ColourGuess() if guess else None
        if guess:
            channels.fix(guess=GUESS)
            picture = (*INPUT, "guess")
        self.layer0 = unit(channels, picture, "layer0", 3, STEM, stride=2)
        reads = "layer0"
        for layer, (width, expansion, blocks, stride) in LAYERS.items():
            geometry = (width, expansion, blocks, stride)
            setattr(self, layer, inverted_residuals(channels, reads, layer, *geometry))
            reads = layer

        climb = channels.part("decoder")
        widths = [max(1, round(decoder * width)) for width in (128, 64, 48, 32, 16, 12)]
        self.everywhere = GlobalMean()
        self.context = unit(climb, ("layer7", "layer7"), "context", 1, widths[0])
        self.decoder4 = _units(climb, ("context", "layer5"), "decoder4", widths[1], 2)
        self.decoder3 = _units(climb, ("decoder4", "layer3"), "decoder3", widths[2], 2)
        self.decoder2 = _units(climb, ("decoder3", "layer2"), "decoder2", widths[3], 1)
        self.decoder1 = _units(climb, ("decoder2", "layer1"), "decoder1", widths[4], 1)
        self.detail = unit(climb, ("decoder1", *picture), "detail", 3, widths[5])
        self.matte = climb.conv("detail", "matte", 3, bias=True)

    def compute(self, image: Tensor, trimap: Tensor, stages: Stages | None) -> Tensor:
        height, width = image.shape[-2:]
        image, trimap = pad_to_multiple(image, self.stride), pad_to_multiple(trimap, self.stride)
        picture = self._picture(image, trimap)
        x = F.relu6(self.layer0(picture), inplace=True)
        skips = []
        for layer in LAYERS:
            x = getattr(self, layer)(x)
            if layer in STAGES.values():
                skips.append(x)
        if stages is not None:
            for (k, layer), skip in zip(STAGES.items(), skips, strict=True):
                stages[f"encoder{k}"] = Stage(skip, skip, getattr(self, layer)[-1].project.norm)

        x = skips.pop()
        x = torch.cat([x, self.everywhere(x).expand_as(x)], 1)
        x = F.relu(self.context(x))
        for k in (4, 3, 2, 1):
            x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], 1)
            for step in getattr(self, f"decoder{k}"):
                pre = step(x)
                x = F.relu(pre)
            if stages is not None:
                stages[f"decoder{k}"] = Stage(pre, x, step.norm)
        large = picture.shape[-2] * picture.shape[-1] > BANDED and not torch.is_grad_enabled()
        alpha = (self._last_in_bands if large else self._last)(x, picture)
        return alpha[..., :height, :width]

    def _picture(self, image: Tensor, trimap: Tensor) -> Tensor:
        """What the first and the last layers read: (N,C,H,W), the groups `INPUT` and `guess`."""
        parts = [self.normalise(image), one_hot(trimap)]
        if self.guess:
            parts.append(self.guess(image, trimap))
        return torch.cat([laid_out_as(one, self.detail.conv.weight) for one in parts], 1)

    def _last(self, x: Tensor, picture: Tensor) -> Tensor:
        """The matte of the map at half resolution and the picture."""
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = F.relu(self.detail(x, picture), inplace=True)
        # Near 1, half precision cannot tell neighbouring 8-bit alphas apart.
        return full_precision(self.matte_layer, x)

    def _last_in_bands(self, x: Tensor, picture: Tensor) -> Tensor:
        """The same of 64 rows at a time: of all maps the largest never exist whole."""
        bands, height = [], picture.shape[-2]
        for top in range(0, height, BAND):
            # A row of alpha sees three above and below it through upsampling and both convolutions.
            start, stop = max(0, top - 4), min(height, top + BAND + 4)
            band = self._last(x[..., start // 2 : stop // 2, :], picture[..., start:stop, :])
            bands.append(band[..., top - start : top - start + BAND, :])
        return torch.cat(bands, -2)

    def encoder(self) -> Encoder:
        return imagenet_encoder(self)


def _units(
    channels: Channels, reads: tuple[str, str], writes: str, width: int, count: int
) -> nn.Sequential:
    """3x3 units; all but the last write a group of their own, `writes.I`."""
    groups = [f"{writes}.{i}" for i in range(1, count)] + [writes]
    inputs = [reads, *groups]
    return nn.Sequential(
        *(unit(channels, a, b, 3, width) for a, b in zip(inputs, groups, strict=False))
    )
