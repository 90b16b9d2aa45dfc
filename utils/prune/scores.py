"""How much each channel matters: {group: scores (width,)}."""

import copy

import torch
from torch import Tensor

from models import Network
from models.channels import Conv, TransposedConv
from models.layers.folding import fold
from utils.prune.gates import by_part, gates

Scores = dict[str, Tensor]


def scores(network: Network) -> Scores:
    """Of every channel the mean over its gates of |gamma| / mean |gamma|.

    The mean below the bar runs over all gates of the gate's part, so that encoder and decoder
    gates of a tied group weigh the same although sparsity pulls them with different strength.
    """
    groups = gates(network)
    all_scales = by_part([gate for members in groups.values() for gate in members])
    mean = {part: _mean(scales) for part, scales in all_scales.items()}
    return {
        group: torch.stack([g.scale.detach().abs() / mean[g.part] for g in members]).mean(0)
        for group, members in groups.items()
    }


@torch.no_grad()
def norms(network: Network) -> Scores:
    """Of every channel the mean over its layers of |w| / mean |w|.

    Its layers are those that write it, w is its filter there as it is deployed, times the scale of
    the BatchNorm; the mean below the bar runs over the layer.
    """
    plain = copy.deepcopy(network).eval()
    fold(plain, norms=True)
    groups: dict[str, list[Tensor]] = {group: [] for group in network.plan}
    for layer in plain.modules():
        if isinstance(layer, (Conv, TransposedConv)):
            (group,) = layer.axes["bias"]
            axis = layer.axes["weight"].index(group)
            lengths = layer.weight.movedim(axis, 0).flatten(1).norm(dim=1)
            if group in groups:
                groups[group].append(lengths / _mean(lengths))
    return {group: torch.stack(members).mean(0) for group, members in groups.items()}


def _mean(values: Tensor) -> Tensor:
    return values.mean().clamp_min(torch.finfo(values.dtype).tiny)
