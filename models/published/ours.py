"""A bare state dict of a network of ours: name, plan and structure are read off its entries."""

import re
from itertools import count

import torch
from torch import Tensor, nn

from models.registry import blank

FIRST = {"encoder1.units.0.conv.weight": "dim", "layer0.conv.weight": "mobile_unet"}
SIGNATURE = re.compile("|".join(map(re.escape, FIRST)))


def convert(state: dict[str, Tensor]) -> tuple[str, dict[str, int], dict, dict[str, Tensor]]:
    """Name, plan, structure and weights of our network."""
    name = next(name for entry, name in FIRST.items() if entry in state)
    structure = {"convolutions": [_units(state, k) for k in range(1, 6)]} if name == "dim" else {}
    with torch.device("meta"):
        network = blank(name, **structure)
    plan = {
        group: width
        for place, layer in network.named_modules()
        for group, width in _widths(state, place, layer).items()
        if group in network.plan
    }
    return name, plan, structure, state


def _units(state: dict[str, Tensor], block: int) -> int:
    return next(i for i in count() if f"encoder{block}.units.{i}.conv.weight" not in state)


def _widths(state: dict[str, Tensor], place: str, layer: nn.Module) -> dict[str, int]:
    """The widths of the groups that each have an axis of a layer to themselves."""
    widths = {}
    for parameter, groups in getattr(layer, "axes", {}).items():
        value = state.get(f"{place}.{parameter}")
        axes = zip(groups, () if value is None else value.shape, strict=False)
        widths |= {group: width for group, width in axes if isinstance(group, str)}
    return widths
