"""The distillation terms of a training: weighted kinds, and what they learn beside the student."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.errors import InputError
from models.network import Network, Stages
from utils.config.options import DistillConfig
from utils.distill.kinds import KINDS


class Distillation(nn.Module):
    """Compares the stages of student and teacher, each kind with its weight.

    Its parameters (adapters, connectors) are trained with the student and never part of it.

    Args:
        options: kinds, their weights, stages.

    Raises:
        InputError: a network has no such stage, or not what a kind compares.
    """

    def __init__(self, options: DistillConfig, student: Network, teacher: Network) -> None:
        super().__init__()
        for network in (student, teacher):
            require_stages(network, options.stages)
        self._weights = options.weights or (1.0,) * len(options.types)
        self._student, self._teacher, self._stages = student.name, teacher.name, options.stages
        with torch.random.fork_rng(devices=[]):  # adapters start the same whatever else is drawn
            self.kinds = nn.ModuleDict(
                {kind: KINDS[kind](student, teacher, options) for kind in options.types}
            )
        self.reads_pre = any(kind.reads_pre for kind in self.kinds.values())
        adapts = any(kind.adapted for kind in self.kinds.values())
        ours, theirs = student.stage_widths(), teacher.stage_widths()
        widths = {s: (ours[s], theirs[s]) for s in options.stages} if adapts else {}
        self.adapters = Adapters(widths, bias=options.adapter_bias)

    @property
    def adapted_kinds(self) -> tuple[str, ...]:
        """The kinds that learn something beside the student, or read what adapters make of it."""
        adapts = any(True for _ in self.adapters.parameters())
        return tuple(
            name
            for name, kind in self.kinds.items()
            if (kind.adapted and adapts) or any(True for _ in kind.parameters())
        )

    def check_batch(self, size: int) -> None:
        """Raise an `InputError` where a kind compares the pictures of a batch and there is one."""
        if "batch" in self.kinds and size == 1:
            raise InputError(
                "distill.types: batch compares the pictures of a batch with each other, but "
                "train.batch_size is 1; raise it, or leave batch out"
            )

    def forward(self, student: Stages, teacher: Stages) -> dict[str, Tensor]:
        """The weighted terms, scalars by kind.

        Raises:
            InputError: the maps of a stage have different sizes, so that they cannot be compared.
        """
        for stage in self._stages:
            self._require_same_size(stage, student, teacher)
        adapted = self.adapters({s: student[s].activation for s in self.adapters.stages})
        return {
            name: weight * kind(student, teacher, adapted)
            for weight, (name, kind) in zip(self._weights, self.kinds.items(), strict=True)
        }

    def _require_same_size(self, stage: str, student: Stages, teacher: Stages) -> None:
        (*_, h, w), (*_, height, width) = (
            stages[stage].activation.shape for stages in (student, teacher)
        )
        if (h, w) != (height, width):
            raise InputError(
                f"distill.stages: {stage} has {h} x {w} pixels in {self._student} and "
                f"{height} x {width} in {self._teacher}; leave it out, or change data.crop"
            )


class Adapters(nn.Module):
    """A 1x1 convolution for each stage whose widths differ, trained with the student.

    SPKD's have a bias, those of distillation-based channel pruning have none.

    Args:
        widths: stage -> (student's width, teacher's width).
    """

    def __init__(self, widths: Mapping[str, tuple[int, int]], bias: bool) -> None:
        super().__init__()
        self.stages = tuple(widths)
        self.convolutions = nn.ModuleDict(
            {
                stage: nn.Conv2d(student, teacher, kernel_size=1, bias=bias)
                for stage, (student, teacher) in widths.items()
                if student != teacher
            }
        )

    def forward(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Stage -> (N,C,H,W) to stage -> (N,C',H,W) of the teacher's width.

        A stage without an adapter keeps its map, the same tensor.
        """
        return {
            stage: self.convolutions[stage](features) if stage in self.convolutions else features
            for stage, features in maps.items()
        }


def require_stages(network: Network, names: tuple[str, ...]) -> None:
    """Raise an `InputError` where a network lacks a stage of `distill.stages`."""
    for name in names:
        if name not in network.stages:
            known = ", ".join(network.stages)
            raise InputError(f"distill.stages: {network.name} has no {name!r}; it has {known}")
