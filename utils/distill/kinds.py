"""Kinds of distillation by name: how the stages of a student are compared with its teacher's."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from models.network import Network, Stages
from utils.config.options import DistillConfig
from utils.distill.at import attention_transfer_loss
from utils.distill.batch import batch_similarity_loss
from utils.distill.channel import channel_similarity_loss
from utils.distill.cwd import channel_wise_loss
from utils.distill.fsp import FlowOfSolution
from utils.distill.nst import nst_loss
from utils.distill.ofd import Overhaul
from utils.distill.spatial import spatial_similarity_loss

Loss = Callable[[Tensor, Tensor], Tensor]


class PerStage(nn.Module):
    """The sum over the stages of a loss of two feature maps, those after the ReLU.

    Args:
        loss: of student and teacher, (N,C,H,W) each, to a scalar.
        adapted: compare channel with channel, so that the student's maps must have the teacher's
            widths.
    """

    reads_pre = False  # whether it looks at the maps before the ReLUs

    def __init__(self, loss: Loss, adapted: bool, stages: tuple[str, ...]) -> None:
        super().__init__()
        self._loss, self.adapted, self._stages = loss, adapted, stages

    def forward(self, student: Stages, teacher: Stages, adapted: Mapping[str, Tensor]) -> Tensor:
        """A scalar.

        Args:
            student, teacher: all stages of the networks.
            adapted: the student's maps in the teacher's widths, where a kind asked for them.
        """
        ours = {s: adapted[s] if self.adapted else student[s].activation for s in self._stages}
        losses = [self._loss(ours[s], teacher[s].activation) for s in self._stages]
        return torch.stack(losses).sum()


def _per_stage(loss: Loss, adapted: bool) -> Callable[..., nn.Module]:
    return lambda student, teacher, options: PerStage(loss, adapted, options.stages)


def _channel_wise(student: Network, teacher: Network, options: DistillConfig) -> nn.Module:
    loss = partial(channel_wise_loss, temperature=options.cwd_temperature)
    return PerStage(loss, True, options.stages)


# Each is made of student, teacher and the section `distill`; it may hold parameters of its own.
KINDS: dict[str, Callable[[Network, Network, DistillConfig], nn.Module]] = {
    "spatial": _per_stage(spatial_similarity_loss, adapted=False),
    "channel": _per_stage(channel_similarity_loss, adapted=True),
    "batch": _per_stage(batch_similarity_loss, adapted=False),
    "at": _per_stage(attention_transfer_loss, adapted=False),
    "nst": _per_stage(nst_loss, adapted=False),
    "fsp": lambda student, teacher, options: FlowOfSolution(teacher, options.stages),
    "ofd": lambda student, teacher, options: Overhaul(student, teacher, options.stages),
    "cwd": _channel_wise,
}
