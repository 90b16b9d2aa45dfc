"""The one interface of every matting network: `network(image, trimap) -> alpha`."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.channels import Plan

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Stage(NamedTuple):
    """A feature map that can be distilled.

    `pre` is the pooled map before its ReLU, `activation` the pooled map after it, both (N,C,H,W)
    and the same tensor for a linear stage; `norm` is the BatchNorm that wrote it, or None.
    """

    pre: Tensor
    activation: Tensor
    norm: nn.BatchNorm2d | None


class Network(nn.Module):
    """A matting network on a channel plan.

    `name`, `plan` and `structure` are plain data from which `models.build` makes the same network
    again. Blocks whose attribute names begin with `decoder` form the decoder, all others the
    encoder; pruning treats the two apart.
    """

    name: str
    stride = 32  # a part of a picture that begins at multiples of it is pooled at the same places

    @property
    def radius(self) -> int | None:
        """How far, in pixels, the matte of a stride x stride cell sees beyond that cell.

        None where there is no bound, as with global pooling or attention.
        """
        return None

    def __init__(self, plan: Plan, structure: dict) -> None:
        super().__init__()
        self.plan = plan
        self.structure = structure
        for key, value in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(key, torch.tensor(value).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor, trimap: Tensor) -> Tensor:
        """The alpha matte; clamped to [0, 1] in evaluation mode, unclamped in training mode.

        Args:
            image: (N,3,H,W), RGB in [0, 1]; any size.
            trimap: (N,1,H,W), 0 for background, 128/255 for unknown, 1 for foreground.

        Returns:
            (N,1,H,W).
        """
        alpha = self.compute(image, trimap, None)
        return alpha if self.training else alpha.clamp(0, 1)

    def forward_features(self, image: Tensor, trimap: Tensor) -> tuple[Tensor, dict[str, Stage]]:
        """The unclamped alpha and, in order, the stages that can be distilled."""
        stages: dict[str, Stage] = {}
        alpha = self.compute(image, trimap, stages)
        return alpha, stages

    def compute(self, image: Tensor, trimap: Tensor, stages: dict[str, Stage] | None) -> Tensor:
        """The unclamped alpha; fills `stages` where given (without, no map outlives its use)."""
        raise NotImplementedError

    def normalise(self, image: Tensor) -> Tensor:
        """RGB in [0, 1] as ImageNet-trained encoders expect it."""
        return (image - self.mean) / self.std
