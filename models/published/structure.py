"""Which network a bare state dict is of: name, structure and plan, read off its entries."""

import re
from collections.abc import Mapping
from itertools import count

import torch
from torch import Tensor, nn

from models.registry import blank

Weights = Mapping[str, Tensor]
SPECTRAL = "parametrizations.weight.original"  # the weight that a spectral norm divides
# The first whose entry is there: the next network may have it, too.
FIRST = {
    "encoder6.conv.weight": "dim_vgg",
    "encoder1.units.0.conv.weight": "dim",
    "decoder6.conv.weight": "indexnet",
    "layer0.conv.weight": "mobile_unet",
    f"guidance.0.conv.{SPECTRAL}": "gca",
    "guidance.0.conv.weight": "gca",
    "layer0.0.conv.weight": "pspnet",
}
PICTURE = 6  # channels of a picture and its trimap, which a guess of the colours comes on top of
BLOCK = re.compile(r"layer([1-4])\.(\d{1,3})\.expand\.conv\.weight")
INDEX = re.compile(r"index\d\.branches\.0(\.0\.conv)?\.weight")  # an index block's first


def name_of(weights: Weights) -> str | None:
    """Which of our networks has entries such as these; None where none has."""
    return next((name for entry, name in FIRST.items() if entry in weights), None)


def structure_of(name: str, weights: Weights) -> dict[str, object]:
    """The structure of a network with these entries; of what cannot be one, any."""
    if name == "dim":
        return {"convolutions": [_convolutions(weights, k) for k in range(1, 6)]}
    if name == "dim_vgg":
        wide = weights["encoder6.conv.weight"].shape[-1:] == (7,)
        return {"refine": "refined.weight" in weights, "wide": wide}
    if name == "mobile_unet":
        return {"guess": weights["layer0.conv.weight"].shape[1:2] > (PICTURE,)}
    if name == "gca":
        return {"spectral": f"guidance.0.conv.{SPECTRAL}" in weights}
    if name == "pspnet":
        return _pspnet(weights)
    return _indexnet(weights)


def plan_of(name: str, structure: dict, weights: Weights) -> dict[str, int]:
    """The widths that the entries of a network of this structure have."""
    with torch.device("meta"):
        network = blank(name, **structure)
    return {
        group: width
        for place, layer in network.named_modules()
        for group, width in _widths(weights, place, layer).items()
        if group in network.plan
    }


def _convolutions(weights: Weights, block: int) -> int:
    return next(i for i in count() if f"encoder{block}.units.{i}.conv.weight" not in weights)


def _pspnet(weights: Weights) -> dict[str, object]:
    blocks = [0] * 4
    for match in filter(None, map(BLOCK.fullmatch, weights)):
        layer, index = int(match[1]) - 1, int(match[2])
        blocks[layer] = max(blocks[layer], index + 1)
    auxiliary = any(entry.startswith("auxiliary.") for entry in weights)
    return {"blocks": blocks, "classes": weights["scores.bias"].numel(), "auxiliary": auxiliary}


def _indexnet(weights: Weights) -> dict[str, object]:
    structure: dict[str, object] = {"aspp": "aspp.fuse.conv.weight" in weights}
    firsts = [v for k, v in weights.items() if INDEX.fullmatch(k) and v.ndim == 4]
    if not firsts:
        last = weights.get("aspp.fuse.conv.weight", weights.get("aspp.0.conv.weight"))
        reads = weights["decoder6.conv.weight"]
        alone = last is not None and last.shape[:1] == reads.shape[1:2]
        return structure | {"decoder": "unpool" if alone else "unet"}
    if any(entry.startswith("index0.branches.1.") for entry in weights):
        # A block of a single channel is both: the same function.
        kind = "m2o" if any(weight.shape[1] > 1 for weight in firsts) else "o2o"
    else:
        kind = "holistic"
    return structure | {
        "decoder": "indexed",
        "index": kind,
        "nonlinear": "index0.branches.0.0.norm.weight" in weights,
        "context": firsts[0].shape[-1] > 2,
    }


def _widths(weights: Weights, place: str, layer: nn.Module) -> dict[str, int]:
    """The widths of the groups that each have an axis of a layer to themselves."""
    widths = {}
    for parameter, groups in getattr(layer, "axes", {}).items():
        spectral = weights.get(f"{place}.{SPECTRAL}") if parameter == "weight" else None
        value = weights.get(f"{place}.{parameter}", spectral)
        axes = zip(groups, () if value is None else value.shape, strict=False)
        widths |= {group: width for group, width in axes if isinstance(group, str)}
    return widths
