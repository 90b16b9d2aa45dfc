"""Segmentation networks: `network(image) -> scores`."""

from collections.abc import Mapping

from torch import Tensor

from models.channels import Channels
from models.errors import InputError
from models.network import Network, Stages

MOST = 255  # 8-bit label maps tell so many classes from "no label", which is 255


class SegmentationNetwork(Network):
    """`network(image) -> scores`; the label of a pixel is the class of the highest score.

    Its structure holds `classes`, how many there are; the group `classes` is of that width.
    """

    task = "segmentation"

    def __init__(self, channels: Channels, structure: dict, stages: Mapping[str, str]) -> None:
        super().__init__(channels, structure, stages)
        classes = structure["classes"]
        if type(classes) is not int or not 2 <= classes <= MOST:
            raise InputError(
                f"{self.name}: classes is {classes!r}; give a whole number from 2 to {MOST}"
            )
        channels.fix(image=3, classes=classes)

    def forward(self, image: Tensor) -> Tensor:
        """The scores of the classes, not normalised: a softmax makes probabilities of them.

        Args:
            image: (N,3,H,W), RGB in [0, 1].

        Returns:
            (N,classes,H,W).
        """
        return self.compute(image, None)

    def compute(self, image: Tensor, stages: Stages | None) -> Tensor:
        """The scores; fills `stages` where given."""
        raise NotImplementedError

    def example(self, batch: int = 1, height: int = 64, width: int = 64) -> tuple[Tensor]:
        return (self.mean.new_zeros(batch, 3, height, width),)
