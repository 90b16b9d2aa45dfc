"""Cut channels out of a network: generic over every network that names its channels."""

import itertools

import torch
from torch import Tensor

from models import Network, build
from models.channels import Conv, Norm, Plan
from models.errors import InputError
from utils.prune.select import Keep


@torch.no_grad()
def cut(network: Network, keep: Keep) -> Network:
    """The same network with only the kept channels, their weights and statistics.

    It computes what `network` computes with the removed channels silenced (scale and shift of
    every writer zero).

    Args:
        keep: `{group: kept indices, ascending}`; a group that is absent stays whole.

    Raises:
        InputError: an unknown group, no index left, or indices out of range or order.
    """
    for group, indices in keep.items():
        _check(group, indices, network.plan)
    plan = network.plan | {group: len(indices) for group, indices in keep.items()}
    small = build(network.name, plan, **network.structure)
    small.to(next(network.parameters())).train(network.training)

    for source, target in zip(network.modules(), small.modules(), strict=True):
        if isinstance(source, Conv):
            inputs = _inputs(source, keep)
            target.weight.copy_(_take(source.weight[:, inputs], source.writes, keep))
            if source.bias is not None:
                target.bias.copy_(_take(source.bias, source.writes, keep))
        elif isinstance(source, Norm):
            for name, value in source.state_dict().items():
                value = _take(value, source.writes, keep) if value.ndim else value
                getattr(target, name).copy_(value)
    return small


def _take(values: Tensor, group: str, keep: Keep) -> Tensor:
    return values[keep[group]] if group in keep else values


def _inputs(conv: Conv, keep: Keep) -> list[int]:
    """The input channels that stay: those kept of each group read, one group after the other."""
    indices, start = [], 0
    for group, width in conv.reads:
        indices += [start + i for i in keep.get(group, range(width))]
        start += width
    return indices


def _check(group: str, indices: list[int], plan: Plan) -> None:
    if group not in plan:
        raise InputError(f"keep: no group named {group!r}; there are {', '.join(plan)}")
    if not indices:
        raise InputError(f"keep: nothing left of {group}; keep one channel at least")
    ascending = all(a < b for a, b in itertools.pairwise(indices))
    if not ascending or indices[0] < 0 or indices[-1] >= plan[group]:
        raise InputError(f"keep: {group} takes ascending indices from 0 to {plan[group] - 1}")
