"""Kinds of distillation by name: how the stages of a student are compared with its teacher's."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from models.network import Network, Stages
from utils.config.options import DistillConfig
from utils.distill.at import attention_transfer_loss
from utils.distill.cwd import channel_wise_loss
from utils.distill.fsp import FlowOfSolution
from utils.distill.ofd import Overhaul
from utils.distill.similarity import (
    batch_similarity_loss,
    channel_similarity_loss,
    nst_loss,
    spatial_similarity_loss,
)


class PerStage(nn.Module):
    """The sum over the stages of a loss of two feature maps, those after the ReLU.

    Args:
        loss: of student and teacher, (N,C,H,W) each, to a scalar.
        adapted: compare channel with channel, so that the student's maps must have the teacher's
            widths.
        settings: further arguments of the loss, {argument: key of the section `distill`}.
    """

    reads_pre = False  # whether it looks at the maps before the ReLUs

    def __init__(
        self,
        loss: Callable[..., Tensor],
        student: Network,
        teacher: Network,
        options: DistillConfig,
        *,
        adapted: bool = False,
        **settings: str,
    ) -> None:
        super().__init__()
        self._loss = partial(loss, **{name: getattr(options, k) for name, k in settings.items()})
        self.adapted, self._stages = adapted, options.stages

    def forward(self, student: Stages, teacher: Stages, adapted: Mapping[str, Tensor]) -> Tensor:
        """A scalar.

        Args:
            student, teacher: all stages of the networks.
            adapted: the student's maps in the teacher's widths, where a kind asked for them.
        """
        ours = {s: adapted[s] if self.adapted else student[s].activation for s in self._stages}
        losses = [self._loss(ours[s], teacher[s].activation) for s in self._stages]
        return torch.stack(losses).sum()


# Each is made of student, teacher and the section `distill`; it may hold parameters of its own.
KINDS: dict[str, Callable[[Network, Network, DistillConfig], nn.Module]] = {
    "spatial": partial(PerStage, spatial_similarity_loss),
    "channel": partial(PerStage, channel_similarity_loss, adapted=True),
    "batch": partial(PerStage, batch_similarity_loss),
    "at": partial(PerStage, attention_transfer_loss),
    "nst": partial(PerStage, nst_loss),
    "fsp": FlowOfSolution,
    "ofd": Overhaul,
    "cwd": partial(PerStage, channel_wise_loss, adapted=True, temperature="cwd_temperature"),
}
