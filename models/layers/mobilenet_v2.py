"""MobileNetV2's layers, and which of torchvision's weights they can start from.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from torch import nn

from models.layers.basic import InvertedResidual
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
ENTRIES = ("weight", "bias", "running_mean", "running_var")


def imagenet_encoder(network: nn.Module) -> Encoder:
    """Of a network with the unit `layer0` and the layers of `LAYERS`."""
    names = {"layer0": ("features.0.0", "features.0.1")}
    index = 1  # of torchvision's features; each is a block
    for layer in LAYERS:
        for place, block in enumerate(getattr(network, layer)):
            names |= _block(block, f"{layer}.{place}", f"features.{index}.conv")
            index += 1
    entries = {}
    for ours, (conv, norm) in names.items():
        entries[f"{ours}.conv.weight"] = f"{conv}.weight"
        entries |= {f"{ours}.norm.{entry}": f"{norm}.{entry}" for entry in ENTRIES}
    return Encoder("mobilenet_v2", entries)


def _block(block: InvertedResidual, ours: str, theirs: str) -> dict[str, tuple[str, str]]:
    """Convolution and norm of torchvision's block for each unit of ours."""
    units = ["expand", "depthwise"] if block.expand else ["depthwise"]
    found = {f"{ours}.{u}": (f"{theirs}.{i}.0", f"{theirs}.{i}.1") for i, u in enumerate(units)}
    last = len(units)
    return found | {f"{ours}.project": (f"{theirs}.{last}", f"{theirs}.{last + 1}")}
