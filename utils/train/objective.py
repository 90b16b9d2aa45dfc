"""What a network is trained for: the weighted terms of the loss, by name."""

import torch
from torch import Tensor, nn

from models import Network, Stage
from models.errors import InputError
from utils.distill import (
    Adapters,
    batch_similarity_loss,
    channel_similarity_loss,
    spatial_similarity_loss,
)
from utils.options import DistillConfig, LossConfig
from utils.train.loss import alpha_loss, unknown_region

SIMILARITIES = {
    "spatial": spatial_similarity_loss,
    "channel": channel_similarity_loss,
    "batch": batch_similarity_loss,
}
SAME_WIDTH = ("channel",)  # these compare channel with channel, so widths must agree


class Objective(nn.Module):
    """Alpha to the truth and, with a teacher, alpha and features to the teacher (SPKD, DCP).

    Its parameters are the adapters that map the student's stages to the teacher's widths; they
    are trained with the student and never part of it.

    Args:
        student: the network to train; only its widths are looked at.
        loss: the weights of the terms.
        distill: which similarities of which stages.
        teacher: in evaluation mode; None trains on the truth alone.

    Raises:
        InputError: a stage that the networks do not have.
    """

    def __init__(
        self,
        student: Network,
        loss: LossConfig,
        distill: DistillConfig,
        teacher: Network | None = None,
    ) -> None:
        super().__init__()
        self._loss = loss
        self._stages = distill.stages
        weights = distill.weights or (1.0,) * len(distill.types)
        self._kinds = dict(zip(distill.types, weights, strict=True)) if teacher and loss.kd else {}
        wanted = bool(self._kinds) or loss.alpha_teacher > 0
        # Hidden from nn.Module: the teacher is neither trained nor saved.
        self._teacher = (teacher if wanted else None,)
        widths = {}
        if any(kind in SAME_WIDTH for kind in self._kinds):
            widths = _widths(student, teacher, distill.stages)
        self.adapters = Adapters(widths, bias=distill.adapter_bias)

    def forward(
        self, network: Network, image: Tensor, trimap: Tensor, alpha: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The weighted terms, scalars to be summed, and the predicted alpha (N,1,H,W)."""
        unknown = unknown_region(trimap)
        loss, teacher = self._loss, self._teacher[0]
        if not self._kinds:
            predicted = network(image, trimap)
        else:
            predicted, stages = network.forward_features(image, trimap)
        terms = {"alpha": loss.alpha * alpha_loss(predicted, alpha, unknown)}
        if teacher is None:
            return terms, predicted

        with torch.no_grad():
            if self._kinds:
                wanted, teacher_stages = teacher.forward_features(image, trimap)
            else:
                wanted = teacher(image, trimap)
        if loss.alpha_teacher:
            distance = alpha_loss(predicted, wanted, unknown)
            terms["alpha_teacher"] = loss.alpha_teacher * distance
        if self._kinds:
            theirs = self._activations(teacher_stages)
            ours = self._activations(stages)
            adapted = self.adapters(ours)
            for kind, weight in self._kinds.items():
                source = adapted if kind in SAME_WIDTH else ours
                losses = [SIMILARITIES[kind](source[s], theirs[s]) for s in self._stages]
                terms[kind] = loss.kd * weight * torch.stack(losses).sum()
        return terms, predicted

    def _activations(self, stages: dict[str, Stage]) -> dict[str, Tensor]:
        return {name: stages[name].activation for name in self._stages}


def stage_widths(network: Network, names: tuple[str, ...]) -> dict[str, int]:
    """The widths of the named stages.

    Raises:
        InputError: the network has no such stage.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with torch.no_grad():
        blank = torch.zeros(1, 4, 32, 32, device=device)
        _, stages = network.forward_features(blank[:, :3], blank[:, 3:])
    network.train(was_training)
    for name in names:
        if name not in stages:
            known = ", ".join(stages)
            raise InputError(f"distill.stages: {network.name} has no {name!r}; it has {known}")
    return {name: stages[name].activation.shape[1] for name in names}


def _widths(
    student: Network, teacher: Network, names: tuple[str, ...]
) -> dict[str, tuple[int, int]]:
    ours, theirs = stage_widths(student, names), stage_widths(teacher, names)
    return {name: (ours[name], theirs[name]) for name in names}
