"""A bare state dict of a network of ours: name, plan and structure are read off its entries."""

import re
from itertools import count

import torch
from torch import Tensor, nn

from models.errors import InputError
from models.published import indexnet_kind
from models.registry import blank

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
SIGNATURE = re.compile("|".join(map(re.escape, FIRST)))
BLOCK = re.compile(r"layer([1-4])\.(\d{1,3})\.expand\.conv\.weight")


def convert(state: dict[str, Tensor]) -> tuple[str, dict[str, int], dict, dict[str, Tensor]]:
    """Name, plan, structure and weights of our network.

    Raises:
        InputError: its first entry is none of those that tell a network.
    """
    first = next((entry for entry in FIRST if entry in state), None)
    if first is None:
        raise InputError(f"it has an entry {next(iter(state))[:100]!r}")
    name = FIRST[first]
    structure: dict[str, object] = {}
    if name == "dim":
        structure["convolutions"] = [_units(state, k) for k in range(1, 6)]
    if name == "dim_vgg":
        structure |= {"refine": "refined.weight" in state, "wide": is_wide(state)}
    if name == "mobile_unet":
        structure["guess"] = state[first].shape[1:2] > (PICTURE,)
    if name == "gca":
        structure["spectral"] = first.endswith(SPECTRAL)
    if name == "pspnet":
        structure = pspnet_structure(state)
    if name == "indexnet":
        structure = indexnet_kind.structure_of(state)
    return name, plan_of(name, structure, state), structure, state


def plan_of(name: str, structure: dict, state: dict[str, Tensor]) -> dict[str, int]:
    """The widths that the entries of a state dict have, of a network of this structure."""
    with torch.device("meta"):
        network = blank(name, **structure)
    return {
        group: width
        for place, layer in network.named_modules()
        for group, width in _widths(state, place, layer).items()
        if group in network.plan
    }


def pspnet_structure(state: dict[str, Tensor]) -> dict:
    """The structure of a PSPNet with these entries.

    Raises:
        LookupError: the scores are missing.
    """
    blocks = [0] * 4
    for match in filter(None, map(BLOCK.fullmatch, state)):
        layer, index = int(match[1]) - 1, int(match[2])
        blocks[layer] = max(blocks[layer], index + 1)
    auxiliary = any(entry.startswith("auxiliary.") for entry in state)
    return {"blocks": blocks, "classes": state["scores.bias"].numel(), "auxiliary": auxiliary}


def is_wide(state: dict[str, Tensor]) -> bool:
    """Whether conv6 of a `dim_vgg` is the wide one."""
    weight = state.get("encoder6.conv.weight")
    return weight is not None and weight.shape[-1:] == (7,)


def _units(state: dict[str, Tensor], block: int) -> int:
    return next(i for i in count() if f"encoder{block}.units.{i}.conv.weight" not in state)


def _widths(state: dict[str, Tensor], place: str, layer: nn.Module) -> dict[str, int]:
    """The widths of the groups that each have an axis of a layer to themselves."""
    widths = {}
    for parameter, groups in getattr(layer, "axes", {}).items():
        spectral = state.get(f"{place}.{SPECTRAL}") if parameter == "weight" else None
        value = state.get(f"{place}.{parameter}", spectral)
        axes = zip(groups, () if value is None else value.shape, strict=False)
        widths |= {group: width for group, width in axes if isinstance(group, str)}
    return widths
