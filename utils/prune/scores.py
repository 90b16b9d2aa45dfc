"""How much each channel matters."""

import copy

import torch
from torch import Tensor

from models import Network
from models.channels import Conv, TransposedConv
from models.layers.folding import fold
from utils.prune.gates import Gate, Part, gates

Scores = dict[str, Tensor]


def scores(network: Network) -> Scores:
    """Of every channel the mean over its gates of |gamma| / mean |gamma|, `{group: (width,)}`.

    The mean below the bar runs over all gates of the gate's part, so that encoder and decoder
    gates of a tied group weigh the same although sparsity pulls them with different strength.
    """
    found = gates(network)
    mean = {
        part: torch.cat(scales).mean().clamp_min(torch.finfo(scales[0].dtype).tiny)
        for part, scales in by_part([g for members in found.values() for g in members]).items()
    }
    return {
        group: torch.stack([g.scale.detach().abs() / mean[g.part] for g in members]).mean(0)
        for group, members in found.items()
    }


@torch.no_grad()
def norms(network: Network) -> Scores:
    """Of every channel the mean over its layers of |w| / mean |w|, `{group: (width,)}`.

    Its layers are those that write it, w is its filter there as it is deployed, times the scale of
    the BatchNorm; the mean below the bar runs over the layer.
    """
    plain = copy.deepcopy(network).eval()
    fold(plain, norms=True)
    found: dict[str, list[Tensor]] = {group: [] for group in network.plan}
    for layer in plain.modules():
        if isinstance(layer, (Conv, TransposedConv)):
            (group,) = layer.axes["bias"]
            axis = layer.axes["weight"].index(group)
            lengths = layer.weight.movedim(axis, 0).flatten(1).norm(dim=1)
            if group in found:
                mean = lengths.mean().clamp_min(torch.finfo(lengths.dtype).tiny)
                found[group].append(lengths / mean)
    return {group: torch.stack(members).mean(0) for group, members in found.items()}


def by_part(members: list[Gate]) -> dict[Part, list[Tensor]]:
    """|gamma| of gates, in order, by the part that they stand in."""
    found: dict[Part, list[Tensor]] = {}
    for gate in members:
        found.setdefault(gate.part, []).append(gate.scale.detach().abs())
    return found
