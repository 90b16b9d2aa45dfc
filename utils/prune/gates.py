"""Gates: the BatchNorm scales that decide which channels of a group matter."""

from typing import Literal, NamedTuple

import torch
from torch import nn

from models import Network
from models.channels import Norm

Part = Literal["encoder", "decoder"]


class Gate(NamedTuple):
    """The scale of one norm that writes a prunable group, and the part that norm stands in."""

    scale: nn.Parameter
    part: Part


def gates(network: Network) -> dict[str, list[Gate]]:
    """Every prunable group with the gates that write it, in the order of the plan."""
    found: dict[str, list[Gate]] = {group: [] for group in network.plan}
    for group, gate in all_gates(network):
        if group in found:
            found[group].append(gate)
    return found


def all_gates(network: Network) -> list[tuple[str, Gate]]:
    """(group, gate) of every norm, those of fixed groups (the matte) included."""
    return [
        (module.writes, Gate(module.weight, "decoder" if name.startswith("decoder") else "encoder"))
        for name, module in network.named_modules()
        if isinstance(module, Norm)
    ]


def part_of(group: list[Gate]) -> Part:
    """The part a group belongs to: `decoder` if any decoder norm writes it, else `encoder`."""
    return "decoder" if any(gate.part == "decoder" for gate in group) else "encoder"


@torch.no_grad()
def open_gates(network: Network) -> None:
    """Start of the pruning stage (DCP): every norm's scale 0.5, its shift 0 and not trained.

    Without a shift, a channel whose gate reaches zero is exactly silent.
    """
    for module in network.modules():
        if isinstance(module, Norm):
            module.weight.fill_(0.5)
            module.bias.zero_()
            module.bias.requires_grad_(False)
