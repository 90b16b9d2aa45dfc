"""Flow of the solution procedure: how the channels of two stages go together (FSP)."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import Network, Stages
from utils.config.options import DistillConfig
from utils.distill.maps import (
    attach,
    check_maps,
    full_precision,
    in_full_precision,
    wants_gradient,
)

Pair = tuple[Tensor, Tensor]


def fsp_loss(student_pair: Pair, teacher_pair: Pair) -> Tensor:
    """Mean squared difference of the FSP matrices of two pairs of feature maps, from 0.

        G = F_i F_j' / HW,  F_i as (C_i,HW), F_j as (C_j,HW);   mean of (G_s - G_t)^2

    over the batch and all C_i x C_j pairs of channels. The larger map of a pair is averaged down to
    the size of the smaller one first.

    Args:
        student_pair: (N,C_i,H_i,W_i) and (N,C_j,H_j,W_j), mapped to the teacher's widths by
            `Adapters`.
        teacher_pair: of the same shapes.

    Paper: Yim et al., "A Gift from Knowledge Distillation", CVPR 2017.
    """
    both = []
    for student, teacher in zip(student_pair, teacher_pair, strict=True):
        check_maps(student, teacher, same_width=True)
        both.append(in_full_precision(student, teacher))
    (s1, t1), (s2, t2) = both
    height, width = min(s1.shape[2], s2.shape[2]), min(s1.shape[3], s2.shape[3])
    maps = [functional.adaptive_avg_pool2d(x, (height, width)).flatten(2) for x in (s1, s2, t1, t2)]
    with_gradient = wants_gradient(*maps)
    with torch.no_grad(), full_precision(s1.device):
        loss, *gradients = _loss_and_gradients(*maps)
    return attach(loss, *zip(maps[:2], gradients, strict=True)) if with_gradient else loss


class FlowOfSolution(nn.Module):
    """The sum of the loss over neighbouring stages, in the order in which the teacher has them."""

    adapted, reads_pre = True, False

    def __init__(self, student: Network, teacher: Network, options: DistillConfig) -> None:
        super().__init__()
        self._pairs = tuple(pairwise(name for name in teacher.stages if name in options.stages))

    def forward(self, student: Stages, teacher: Stages, adapted: Mapping[str, Tensor]) -> Tensor:
        """A scalar; see `kinds.PerStage`."""
        losses = [
            fsp_loss((adapted[i], adapted[j]), (teacher[i].activation, teacher[j].activation))
            for i, j in self._pairs
        ]
        return torch.stack(losses).sum()


def _loss_and_gradients(
    s1: Tensor, s2: Tensor, t1: Tensor, t2: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Of (N,C_i,HW) and (N,C_j,HW) of student and teacher; the gradients are the student's.

    As in `similarity.py`, with p = s + t and m = s - t, G_s - G_t = (p_i m_j' + m_i p_j') / 2 HW,
    which is small where a student imitates well.
    """
    difference = torch.bmm(s1 + t1, (s2 - t2).mT)
    difference.baddbmm_(s1 - t1, (s2 + t2).mT).div_(2 * s1.shape[2])
    loss = difference.square().mean()
    difference.mul_(2 / (difference.numel() * s1.shape[2]))
    return loss, difference @ s2, difference.mT @ s1
