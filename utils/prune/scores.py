"""How much each channel matters: {group: scores (width,)}."""

import copy
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from models import Network
from models.channels import Conv, Norm, Scale, TransposedConv
from models.layers.folding import fold
from utils import distributed
from utils.prune.gates import by_part, gates

Scores = dict[str, Tensor]
# Of a network with learned scales, and of the loss of batches at its weights: all prunable groups.
Criterion = Callable[[Network, Iterable[Tensor]], Scores]


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


@torch.no_grad()
def magnitude(network: Network, losses: Iterable[Tensor]) -> Scores:
    """Of every channel its squared weights / their mean over the group.

    Its weights are those of all that writes it (filters and scales of BatchNorms) and the filters'
    for it in all that reads it: what a cut removes, but for shifts and statistics. The squared L2
    norm of GroupMagnitudeImportance in Torch-Pruning (Fang et al., DepGraph, CVPR 2023).
    """
    squares = dict.fromkeys(network.plan, torch.zeros(()))
    for group, weights, _ in _weights(network):
        squares[group] = squares[group] + weights.square().sum(1)
    return {group: each / _mean(each) for group, each in squares.items()}


def taylor(network: Network, losses: Iterable[Tensor]) -> Scores:
    """Of every channel, to first order, how much the loss changes when it is silenced.

        mean over batches of |sum over all that writes it of gamma dL/dgamma + beta dL/dbeta|

    gamma and beta are scale and shift of a BatchNorm, or a learned scale. Molchanov et al.,
    Importance Estimation for Neural Network Pruning, CVPR 2019, without their square.
    """
    writers = [m for m in network.modules() if isinstance(m, (Norm, Scale))]
    entries = [(w.writes, p) for w in writers if w.writes in network.plan for p in w.parameters()]
    total, count = dict.fromkeys(network.plan, torch.zeros(())), 0
    for loss in losses:
        changes = dict.fromkeys(total, torch.zeros(()))
        values = [value for _, value in entries]
        gradients = torch.autograd.grad(loss, values, materialize_grads=True)
        for (group, value), gradient in zip(entries, gradients, strict=True):
            changes[group] = changes[group] + value.detach() * gradient
        means = {group: distributed.average(each) for group, each in changes.items()}
        total = {group: total[group] + each.abs() for group, each in means.items()}
        count += 1
    return {group: each / count for group, each in total.items()}


@torch.no_grad()
def fpgm(network: Network, losses: Iterable[Tensor]) -> Scores:
    """Of every channel the distances of its filters to the group's others / their mean.

    Its filters are those of all convolutions that write it, one after the other. The sum of a
    filter's distances to all others is small where these replace it: He et al., Filter Pruning via
    Geometric Median, CVPR 2019, whose layers are all cut alike; the mean makes groups comparable.
    """
    filters: dict[str, list[Tensor]] = {group: [] for group in network.plan}
    for group, weights, are_filters in _weights(network):
        if are_filters:
            filters[group].append(weights)
    exact = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    scores = {}
    for group, parts in filters.items():
        whole = torch.cat(parts, 1)
        sums = torch.cdist(whole, whole, **exact).sum(1)
        scores[group] = sums / _mean(sums)
    return scores


def random(network: Network, losses: Iterable[Tensor]) -> Scores:
    """Of every channel a number from 0 to 1, of PyTorch's global generator."""
    return {group: torch.rand(width) for group, width in network.plan.items()}


# Those that no gates are trained for, by the name that a config has for them.
CRITERIA: dict[str, Criterion] = {
    **{"magnitude": magnitude, "taylor": taylor, "fpgm": fpgm, "random": random}
}


def _weights(network: Network) -> Iterator[tuple[str, Tensor, bool]]:
    """Each prunable group on an axis of a weight, and what the weight holds of its channels.

    (group, (width, n), whether these are filters that write it); learned scales are part of them.
    """
    plain = network.folded(norms=False)
    entries = plain.state_dict()
    for entry, axes in plain.entry_axes().items():
        value = entries[entry]
        for axis, groups in enumerate(axes if entry.endswith("weight") else ()):
            if groups is None:
                continue
            are_filters = isinstance(groups, str) and value.ndim > 1
            groups = (groups,) if isinstance(groups, str) else groups
            parts = value.movedim(axis, 0).split([plain.widths[group] for group in groups])
            for group, weights in zip(groups, parts, strict=True):
                if group in plain.plan:
                    yield group, weights.reshape(len(weights), -1), are_filters


def _mean(values: Tensor) -> Tensor:
    return values.mean().clamp_min(torch.finfo(values.dtype).tiny)
