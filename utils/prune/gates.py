"""Gates: the scales, of BatchNorms or learned, that decide which channels of a group matter."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from models import Network
from models.channels import Norm, Scale

Part = Literal["encoder", "decoder"]
BINS, WIDEST = 40, 1.0  # of a histogram of gates; what is wider counts in the last bin


class Gate(NamedTuple):
    """The scale of one layer that writes a group, and the part of the network it stands in."""

    scale: nn.Parameter
    part: Part


def gates(network: Network) -> dict[str, list[Gate]]:
    """The prunable groups with the gates that write them, in the order of the plan.

    A group that no gate writes, inside a holistic index block, is left out: no score tells which
    of its channels to keep.
    """
    groups: dict[str, list[Gate]] = {group: [] for group in network.plan}
    for group, gate in all_gates(network):
        if group in groups:
            groups[group].append(gate)
    return {group: members for group, members in groups.items() if members}


def all_gates(network: Network) -> list[tuple[str, Gate]]:
    """(group, gate) of every gate, those of fixed groups (the matte) included."""
    return [(layer.writes, Gate(layer.weight, layer.part)) for layer in _layers(network)]


def part_of(group: list[Gate]) -> Part:
    """The part a group belongs to: `decoder` if any decoder gate writes it, else `encoder`."""
    return "decoder" if any(gate.part == "decoder" for gate in group) else "encoder"


def by_part(members: list[Gate]) -> dict[Part, Tensor]:
    """|gamma| of gates, one after the other, by the part that they stand in."""
    parts: dict[Part, list[Tensor]] = {}
    for gate in members:
        parts.setdefault(gate.part, []).append(gate.scale.detach().abs())
    return {part: torch.cat(scales) for part, scales in parts.items()}


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


def gated(network: Network) -> Network:
    """A copy that can be trained, with learned scales of 1 where no norm writes a group."""
    twin = network.blank(network.plan, **network.structure | {"gates": True})
    twin.to(network.mean)
    twin.load_state_dict(network.state_dict(), strict=False)
    return twin.train(network.training)


class History:
    """How the gates moved: counts of |gamma| in bins from 0 to 1, a row each time; plain data."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def add(self, network: Network, step: int) -> None:
        """Add a row: the step, the exact zeros and the counts of each part."""
        prunable = [gate for group, gate in all_gates(network) if group in network.plan]
        row: dict = {"step": step}
        for part, scales in by_part(prunable).items():
            sizes = scales.float().cpu()
            counts = torch.histc(sizes.clamp(max=WIDEST), BINS, 0, WIDEST).int().tolist()
            row[part] = {"zero": int((sizes == 0).sum()), "counts": counts}
        self.rows.append(row)

    def state_dict(self) -> dict:
        return {"rows": self.rows}

    def load_state_dict(self, state: dict) -> None:
        self.rows = list(state["rows"])


def _layers(network: Network) -> list[Norm | Scale]:
    return [m for m in network.modules() if isinstance(m, (Norm, Scale)) and m.gate]
