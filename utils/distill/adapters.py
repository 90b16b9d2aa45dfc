"""Adapters: 1x1 convolutions that map a student's feature maps to its teacher's widths."""

from collections.abc import Mapping

from torch import Tensor, nn


class Adapters(nn.Module):
    """One 1x1 convolution for each stage whose widths differ.

    They are trained with the student and are never part of the network. SPKD's have a bias, the
    ones of distillation-based channel pruning have none.

    Args:
        widths: stage -> (student's width, teacher's width).
        bias: whether the convolutions have one.
        always: give a stage of equal widths a convolution too.
    """

    def __init__(
        self, widths: Mapping[str, tuple[int, int]], bias: bool, always: bool = False
    ) -> None:
        super().__init__()
        self.stages = tuple(widths)
        self.convolutions = nn.ModuleDict(
            {
                stage: nn.Conv2d(student, teacher, kernel_size=1, bias=bias)
                for stage, (student, teacher) in widths.items()
                if always or student != teacher
            }
        )

    def forward(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Stage -> (N,C,H,W) of the student to stage -> (N,C',H,W) of the teacher's width.

        A stage without an adapter keeps its map, the same tensor.
        """
        return {
            stage: self.convolutions[stage](features) if stage in self.convolutions else features
            for stage, features in maps.items()
        }
