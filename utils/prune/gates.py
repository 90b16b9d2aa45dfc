"""Gates: the scales, of BatchNorms or learned, that decide which channels of a group matter."""

from typing import Literal, NamedTuple

import torch
from torch import nn

from models import Network
from models.channels import Norm, Scale

Part = Literal["encoder", "decoder"]


class Gate(NamedTuple):
    """The scale of one layer that writes a group, and the part of the network it stands in."""

    scale: nn.Parameter
    part: Part


def gates(network: Network) -> dict[str, list[Gate]]:
    """The prunable groups with the gates that write them, in the order of the plan.

    A group that no gate writes, inside a holistic index block, is left out: no score tells which
    of its channels to keep.
    """
    found: dict[str, list[Gate]] = {group: [] for group in network.plan}
    for group, gate in all_gates(network):
        if group in found:
            found[group].append(gate)
    return {group: members for group, members in found.items() if members}


def all_gates(network: Network) -> list[tuple[str, Gate]]:
    """(group, gate) of every gate, those of fixed groups (the matte) included."""
    return [(layer.writes, Gate(layer.weight, layer.part)) for layer in _layers(network)]


def part_of(group: list[Gate]) -> Part:
    """The part a group belongs to: `decoder` if any decoder gate writes it, else `encoder`."""
    return "decoder" if any(gate.part == "decoder" for gate in group) else "encoder"


@torch.no_grad()
def open_gates(network: Network) -> None:
    """Start of the pruning stage (DCP): every gate 0.5, the shift behind it 0 and not trained.

    Without a shift, a channel whose gate reaches zero is exactly silent.
    """
    for layer in _layers(network):
        layer.weight.fill_(0.5)
        if isinstance(layer, Norm):
            layer.bias.zero_()
            layer.bias.requires_grad_(False)


def _layers(network: Network) -> list[Norm | Scale]:
    return [m for m in network.modules() if isinstance(m, (Norm, Scale)) and m.gate]
