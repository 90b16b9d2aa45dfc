"""Overhaul of feature distillation: the maps before the ReLU, above a margin (OFD)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.errors import InputError
from models.network import Network, Stages
from utils.config.options import DistillConfig
from utils.distill.maps import check_maps, in_full_precision

SCALE = 1e-3  # of a sum over all pixels and channels, as released
LEAST = 1e-3  # share of negative values under which their mean is not estimated


@torch.no_grad()
def ofd_margin(weight: Tensor, bias: Tensor) -> Tensor:
    """The mean of the negative values of each channel that a BatchNorm writes, (C,), at most 0.

        m = E[t | t < 0],  t normal of mean `bias` and deviation |weight|
          = bias - |weight| pdf(bias / |weight|) / cdf(-bias / |weight|)

    Where less than a thousandth of the values are negative, it is -3 |weight|.

    Args:
        weight, bias: (C,), the BatchNorm's scale and shift.
    """
    mean, deviation = bias.double(), weight.double().abs()
    ratio = mean / deviation.clamp(min=torch.finfo(torch.float64).tiny)
    negative = torch.special.ndtr(-ratio)
    density = torch.exp(-(ratio.square()) / 2) / (2 * torch.pi) ** 0.5
    margin = mean - deviation * density / negative
    return torch.where(negative > LEAST, margin, -3 * deviation).to(weight.dtype)


def ofd_loss(student: Tensor, teacher: Tensor, margin: Tensor) -> Tensor:
    """Squared distance to the teacher's map above the margin, summed, per picture; from 0.

        t' = max(t, m);   sum of (s - t')^2 except where s <= t' <= 0;   / N

    Where the teacher is silent, the student need only be silent, too.

    Args:
        student: (N,C,H,W) before the ReLU; mapped to the teacher's width by a connector.
        teacher: (N,C,H,W) before the ReLU.
        margin: (C,), of `ofd_margin`.

    Paper: Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019.
    """
    check_maps(student, teacher, same_width=True)
    student, teacher = in_full_precision(student, teacher)
    target = teacher.maximum(margin.to(teacher.dtype)[:, None, None])
    silent = (student <= target) & (target <= 0)
    return (student - target).masked_fill(silent, 0).square().sum() / len(student)


class Overhaul(nn.Module):
    """The sum of the loss over the stages, each half as heavy as the next, over 1000.

    The order of the stages is the teacher's. Where widths differ, a connector (1x1 convolution and
    BatchNorm) maps the student's map to the teacher's width.

    Raises:
        InputError: no BatchNorm writes one of the teacher's stages.
    """

    adapted, reads_pre = False, True

    def __init__(self, student: Network, teacher: Network, options: DistillConfig) -> None:
        super().__init__()
        self._stages = tuple(name for name in teacher.stages if name in options.stages)
        norms = teacher.stage_norms()
        for stage in self._stages:
            if stage not in norms:
                raise InputError(
                    f"distill.types: ofd takes its margins from the teacher's BatchNorms, and "
                    f"{teacher.name} has none at {stage}; leave out the stage, or ofd"
                )
            margin = ofd_margin(norms[stage].weight, norms[stage].bias)
            self.register_buffer(f"margin_{stage}", margin, persistent=False)
        ours, theirs = student.stage_widths(), teacher.stage_widths()
        self.connectors = nn.ModuleDict(
            {
                stage: nn.Sequential(
                    nn.Conv2d(ours[stage], theirs[stage], kernel_size=1, bias=False),
                    nn.BatchNorm2d(theirs[stage]),
                )
                for stage in self._stages
                if ours[stage] != theirs[stage]
            }
        )

    def forward(self, student: Stages, teacher: Stages, adapted: Mapping[str, Tensor]) -> Tensor:
        """A scalar; see `kinds.PerStage`."""
        total, last = 0, len(self._stages) - 1
        for index, stage in enumerate(self._stages):
            ours = student[stage].pre
            if stage in self.connectors:
                ours = self.connectors[stage](ours)
            loss = ofd_loss(ours, teacher[stage].pre, getattr(self, f"margin_{stage}"))
            total = total + SCALE * 2.0 ** (index - last) * loss
        return total
