"""PSPNet: a dilated ResNet with a deep stem and a pyramid of poolings (Zhao et al., CVPR 2017).

As hszhao/semseg builds it, with 50 layers by default.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.errors import InputError
from models.layers.basic import unit
from models.layers.residual import Bottleneck
from models.network import Encoder, SegmentationNetwork, Stage, Stages, pad_to_multiple

RESNET50 = (3, 4, 6, 3)
# Of each layer: width, stride, dilation.
LAYERS = {
    "layer1": (256, 1, 1),
    "layer2": (512, 2, 1),
    "layer3": (1024, 1, 2),
    "layer4": (2048, 1, 4),
}
STAGES = ("layer2", "layer3", "layer4")
BINS = (1, 2, 3, 6)
MIN_SIDE = 34  # padded to 41, such a side has 6 places at stride 8, one for each bin


class PspNet(SegmentationNetwork):
    """PSPNet on a plan; 46,716,373 parameters at full width, and 2,365,205 in its auxiliary head.

    Group `layerK` is the residual stream of layer K, `layerK.I.1` and `layerK.I.2` what its I-th
    block makes inside; `pyramidB` is what B x B bins give.

    Args:
        blocks: how many bottlenecks layers 1 to 4 have; ResNet-101 has (3, 4, 23, 3).
        classes: how many classes there are, the background among them.
        auxiliary: whether a second head learns to tell the classes from layer 3, for training.
    """

    name = "pspnet"
    stride = 8

    def __init__(
        self,
        channels: Channels,
        blocks: Sequence[int] = RESNET50,
        classes: int = 21,
        auxiliary: bool = True,
    ) -> None:
        structure = {"blocks": list(blocks), "classes": classes, "auxiliary": auxiliary}
        super().__init__(channels, structure, {stage: stage for stage in STAGES})
        self.layer0 = nn.Sequential(
            unit(channels, "image", "layer0.1", 3, 64, stride=2),
            unit(channels, "layer0.1", "layer0.2", 3, 64),
            unit(channels, "layer0.2", "layer0", 3, 128),
        )
        reads = "layer0"
        for (layer, geometry), count in zip(LAYERS.items(), blocks, strict=True):
            setattr(self, layer, _bottlenecks(channels, reads, layer, count, *geometry))
            reads = layer

        head = channels.part("decoder")
        pyramid = {bins: f"pyramid{bins}" for bins in BINS}
        self.pyramid = nn.ModuleList(unit(head, "layer4", g, 1, 512) for g in pyramid.values())
        self.fuse = unit(head, ("layer4", *pyramid.values()), "fuse", 3, 512)
        self.dropout = nn.Dropout2d(0.1)
        self.scores = head.conv("fuse", "classes", 1, bias=True)
        self.auxiliary = _auxiliary(head) if auxiliary else None

    def compute(self, image: Tensor, stages: Stages | None) -> Tensor:
        height, width = image.shape[-2:]
        _require_size(image, self.training)
        # Sides of 8k + 1, whose corners lie on the corners of the map at stride 8.
        x = pad_to_multiple(self.normalise(image), self.stride, 1)
        size = x.shape[-2:]

        for step in self.layer0:
            x = F.relu(step(x))
        x = F.max_pool2d(x, 3, 2, 1)
        for layer in LAYERS:
            for block in getattr(self, layer):
                pre = block(x)
                x = F.relu(pre)
            if stages is not None and layer in STAGES:
                stages[layer] = Stage(pre, x, block.expand.norm)
            if layer == "layer3" and self.training and stages is not None and self.auxiliary:
                stages.auxiliary = _resized(self.auxiliary(x), size)[..., :height, :width]

        pooled = [x]
        for bins, step in zip(BINS, self.pyramid, strict=True):
            y = F.relu(step(F.adaptive_avg_pool2d(x, bins)))
            pooled.append(_resized(y, x.shape[-2:]))
        x = self.scores(self.dropout(F.relu(self.fuse(torch.cat(pooled, 1)))))
        # In half precision the scores of two classes are often equal, and the first would win.
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        return _resized(x, size)[..., :height, :width]

    def encoder(self) -> Encoder:
        layers = {}
        for i in range(3):
            layers |= {f"layer0.{i}.conv": f"conv{i + 1}", f"layer0.{i}.norm": f"bn{i + 1}"}
        for layer in LAYERS:
            for index, block in enumerate(getattr(self, layer)):
                place = f"{layer}.{index}"
                for i, part in enumerate(("reduce", "middle", "expand"), 1):
                    layers[f"{place}.{part}.conv"] = f"{place}.conv{i}"
                    layers[f"{place}.{part}.norm"] = f"{place}.bn{i}"
                if block.shortcut:
                    layers[f"{place}.shortcut.conv"] = f"{place}.downsample.0"
                    layers[f"{place}.shortcut.norm"] = f"{place}.downsample.1"
        return Encoder.of(self, "ResNet with a deep stem, such as semseg's resnet50_v2.pth", layers)


def _bottlenecks(
    channels: Channels, reads: str, layer: str, count: int, width: int, stride: int, dilation: int
) -> nn.ModuleList:
    """A layer of ResNet: blocks that write the group `layer`, the first with the stride."""
    first = Bottleneck(channels, reads, f"{layer}.1", layer, width, stride, dilation)
    rest = (
        Bottleneck(channels, layer, f"{layer}.{i}", layer, dilation=dilation)
        for i in range(2, count + 1)
    )
    return nn.ModuleList([first, *rest])


def _auxiliary(head: Channels) -> nn.Sequential:
    hidden = unit(head, "layer3", "auxiliary", 3, 256)
    scores = head.conv("auxiliary", "classes", 1, bias=True)
    return nn.Sequential(hidden, nn.ReLU(), nn.Dropout2d(0.1), scores)


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def _require_size(image: Tensor, training: bool) -> None:
    count, _, height, width = image.shape
    if min(height, width) < MIN_SIDE:
        raise InputError(
            f"{PspNet.name}: a picture of {width} x {height} is smaller than the "
            f"{BINS[-1]} x {BINS[-1]} bins of its pyramid; give {MIN_SIDE} pixels or more a side"
        )
    if training and count < 2:
        raise InputError(
            f"{PspNet.name}: its global pooling leaves nothing to normalise over in a batch of one "
            "picture; train on two or more (train.batch_size)"
        )
