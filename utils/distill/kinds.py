"""Kinds of distillation by name: how the stages of a student are compared with its teacher's."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from models.network import Network, Stages
from utils.distill.batch import batch_similarity_loss
from utils.distill.channel import channel_similarity_loss
from utils.distill.spatial import spatial_similarity_loss

Maps = Mapping[str, Tensor]


class PerStage(nn.Module):
    """The sum over the stages of a loss of two feature maps, those after the ReLU.

    Args:
        loss: of student and teacher, (N,C,H,W) each, to a scalar.
        adapted: compare channel with channel, so that the student's maps must have the teacher's
            widths.
    """

    def __init__(
        self, loss: Callable[[Tensor, Tensor], Tensor], adapted: bool, stages: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.reads_pre = False  # whether it looks at the maps before the ReLUs
        self._loss, self.adapted, self._stages = loss, adapted, stages

    def forward(self, student: Stages, teacher: Stages, adapted: Maps) -> Tensor:
        """A scalar.

        Args:
            student, teacher: all stages of the networks.
            adapted: the student's maps in the teacher's widths, where a kind asked for them.
        """
        ours = {s: adapted[s] if self.adapted else student[s].activation for s in self._stages}
        losses = [self._loss(ours[s], teacher[s].activation) for s in self._stages]
        return torch.stack(losses).sum()


# Each is made of student, teacher and the names of the stages; it may hold parameters of its own.
KINDS: dict[str, Callable[[Network, Network, tuple[str, ...]], nn.Module]] = {
    "spatial": lambda student, teacher, stages: PerStage(spatial_similarity_loss, False, stages),
    "channel": lambda student, teacher, stages: PerStage(channel_similarity_loss, True, stages),
    "batch": lambda student, teacher, stages: PerStage(batch_similarity_loss, False, stages),
}
