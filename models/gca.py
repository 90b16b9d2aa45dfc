"""GCA: ResNet-34-D with spectral norm, shortcuts and guided contextual attention.

Li and Lu, "Natural Image Matting via Guided Contextual Attention", AAAI 2020.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels, Conv, Norm
from models.layers.attention import GuidedAttention
from models.layers.basic import Unit, full_precision, unit
from models.layers.residual import basic_blocks, upsampling_blocks
from models.network import MattingNetwork, Stage, Stages, one_hot, pad_to_multiple

INPUT = ("image", "known")
SLOPE = 0.2  # of the decoder's leaky ReLUs
GUIDANCE = (16, 32, 128)
FEATURES = 64  # of each attention


class Rectified(nn.Module):
    """A 3x3 convolution, ReLU, then its BatchNorm."""

    def __init__(self, conv: Conv, norm: Norm) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(F.relu(self.conv(x)))


class Gca(MattingNetwork):
    """GCA on a plan; 25,164,529 parameters at full width.

    Group `layerK` is the residual stream of layer K, `decoderK` that of the decoder at stride 2^K
    with what its shortcut adds. Both attentions add to a stream and write its group.

    Args:
        spectral: divide the weights of the convolutions by their spectral norm.
    """

    name = "gca"

    def __init__(self, channels: Channels, spectral: bool = True) -> None:
        stages = {"encoder1": "conv2"} | {f"encoder{k}": f"layer{k - 1}" for k in range(2, 6)}
        stages |= {f"decoder{k}": f"decoder{k}" for k in (4, 3, 2, 1)}
        super().__init__(channels, {"spectral": spectral}, stages)
        channels.fix(image=3, known=3, matte=1)
        norm = {"spectral": spectral}

        self.conv1 = unit(channels, INPUT, "conv1", 3, 32, stride=2, **norm)
        self.conv2 = unit(channels, "conv1", "conv2", 3, 32, **norm)
        self.conv3 = unit(channels, "conv2", "layer1", 3, 64, stride=2, **norm)
        self.layer1 = basic_blocks(channels, "layer1", "layer1", 3, **norm)
        self.layer2 = basic_blocks(channels, "layer1", "layer2", 4, 128, stride=2, **norm)
        self.guidance = _guidance(channels, spectral)
        self.attention2 = GuidedAttention(channels, "guidance", "attention2", "layer2", FEATURES)
        self.layer3 = basic_blocks(channels, "layer2", "layer3", 4, 256, stride=2, **norm)
        self.layer4 = basic_blocks(channels, "layer3", "layer4", 2, 512, stride=2, **norm)

        self.shortcut0 = _shortcut(channels, INPUT, "decoder0", 32, spectral)
        self.shortcut1 = _shortcut(channels, "conv2", "decoder1", 32, spectral)
        self.shortcut2 = _shortcut(channels, "layer1", "decoder2", 64, spectral)
        self.shortcut3 = _shortcut(channels, "layer2", "decoder3", 128, spectral)
        self.shortcut4 = _shortcut(channels, "layer3", "decoder4", 256, spectral)

        climb, norm = channels.part("decoder"), norm | {"slope": SLOPE}
        self.decoder4 = upsampling_blocks(climb, "layer4", "decoder4", 2, **norm)
        self.decoder3 = upsampling_blocks(climb, "decoder4", "decoder3", 3, **norm)
        self.attention3 = GuidedAttention(climb, "guidance", "attention3", "decoder3", FEATURES)
        self.decoder2 = upsampling_blocks(climb, "decoder3", "decoder2", 3, **norm)
        self.decoder1 = upsampling_blocks(climb, "decoder2", "decoder1", 2, **norm)
        up = climb.transposed("decoder1", "decoder0", 4, padding=1, spectral=spectral)
        self.decoder0 = Unit(up, climb.norm("decoder0"))
        self.matte = climb.conv("decoder0", "matte", 3, bias=True)

    def compute(self, image: Tensor, trimap: Tensor, stages: Stages | None) -> Tensor:
        height, width = image.shape[-2:]
        image = self.normalise(pad_to_multiple(image, self.stride))
        known = one_hot(pad_to_multiple(trimap, self.stride))
        guide = self._guide(image), known[:, 1:2, ::8, ::8]

        skips = [torch.cat([image, known], 1)]
        x = F.relu(self.conv1(skips[0]))
        pre = self.conv2(x)
        skips.append(F.relu(pre))
        _fill(stages, "encoder1", pre, skips[-1], self.conv2)
        x = F.relu(self.conv3(skips[-1]))
        for k in (1, 2, 3, 4):
            pre, x = _through(getattr(self, f"layer{k}"), x)
            last = getattr(self, f"layer{k}")[-1].second
            if k == 2:
                pre = x = self.attention2(x, *guide)
                last = self.attention2.project
            _fill(stages, f"encoder{k + 1}", pre, x, last)
            skips.append(x)

        x = skips.pop()
        for k in (4, 3, 2, 1):
            layer = getattr(self, f"decoder{k}")
            pre, x = _through(layer, x, SLOPE)
            _fill(stages, f"decoder{k}", pre, x, layer[-1].second)
            x = x + getattr(self, f"shortcut{k}")(skips.pop())
            if k == 3:
                x = self.attention3(x, *guide)
        x = F.leaky_relu(self.decoder0(x), SLOPE) + self.shortcut0(skips.pop())
        # Near 1, half precision cannot tell neighbouring 8-bit alphas apart.
        alpha = (torch.tanh(full_precision(self.matte_layer, x)) + 1) / 2
        return alpha[..., :height, :width]

    def _guide(self, image: Tensor) -> Tensor:
        """Features of the picture alone, at stride 8."""
        for step in self.guidance:
            image = step(F.pad(image, (1, 1, 1, 1), "reflect"))
        return image


def _guidance(channels: Channels, spectral: bool) -> nn.ModuleList:
    groups = ["guidance.1", "guidance.2", "guidance"]
    layers = nn.ModuleList()
    for a, b, width in zip(["image", *groups], groups, GUIDANCE, strict=False):
        conv = channels.conv(a, b, 3, width, stride=2, padding=0, spectral=spectral)
        layers.append(Rectified(conv, channels.norm(b)))
    return layers


def _shortcut(
    channels: Channels, reads: str | tuple[str, ...], writes: str, width: int, spectral: bool
) -> nn.Sequential:
    """What the decoder adds of the encoder: declares the group `writes`."""
    layers = nn.Sequential()
    for group in (f"shortcut{writes[-1]}", writes):
        conv = channels.conv(reads, group, 3, width, spectral=spectral)
        layers.append(Rectified(conv, channels.norm(group)))
        reads = group
    return layers


def _through(layer: nn.Sequential, x: Tensor, slope: float = 0.0) -> tuple[Tensor, Tensor]:
    """What residual blocks make of x, before and after the last activation."""
    for block in layer:
        pre = block(x)
        x = F.leaky_relu(pre, slope)
    return pre, x


def _fill(stages: Stages | None, name: str, pre: Tensor, x: Tensor, last: Unit) -> None:
    if stages is not None:
        stages[name] = Stage(pre, x, last.norm)
