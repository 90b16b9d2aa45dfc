"""Index blocks: from a map, where its pooling and its upsampling shall look.

Lu et al., "Indices Matter: Learning to Index for Deep Image Matting", ICCV 2019.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.layers.basic import Unit

KINDS = ("m2o", "o2o", "holistic")


class IndexBlock(nn.Module):
    """Weighs the four pixels of each 2x2 window of the group `group`.

    Four branches each tell the weight of one of the four pixels: for every channel from all
    channels (`m2o`, many to one) or from itself alone (`o2o`, one to one). They write the group
    that they index, so that index and map are cut together. A `holistic` block has one branch that
    tells the four weights for all channels at once. No norm inside is a gate.

    Args:
        index: one of `KINDS`.
        nonlinear: a convolution, its BatchNorm, ReLU6 and a 1x1 convolution instead of one
            convolution alone. In a holistic block, the group between is `hidden`.
        context: look at 4x4 pixels instead of the window's 2x2.
    """

    def __init__(
        self,
        channels: Channels,
        group: str,
        hidden: str,
        *,
        index: str,
        nonlinear: bool,
        context: bool,
    ) -> None:
        super().__init__()
        inside = group
        if index == "holistic":
            inside = hidden if nonlinear else "index"
        self.branches = nn.ModuleList(
            _branch(channels, group, inside, index, nonlinear, context)
            for _ in range(1 if index == "holistic" else 4)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The weights for pooling, which sum to 1 in each window, and those for upsampling.

        Both (N,C,H,W) of x (N,C,H,W), or (N,1,H,W) of a holistic block.
        """
        outputs = [branch(x) for branch in self.branches]
        scores = torch.stack(outputs, 2) if len(outputs) == 4 else outputs[0][:, None]
        up = scores.sigmoid()  # (N,C,4,H/2,W/2)
        return _spread(up.softmax(2)), _spread(up)


def _branch(
    channels: Channels, group: str, inside: str, index: str, nonlinear: bool, context: bool
) -> nn.Module:
    """One branch of an index block; its first convolution writes the group `inside`."""
    window = {"kernel": 4 if context else 2, "stride": 2, "padding": int(context)}
    if index == "o2o":
        first = channels.depthwise(group, **window)
        second = channels.depthwise(group, 1) if nonlinear else None
    elif index == "m2o":
        first = channels.conv(group, group, **window)
        second = channels.conv(group, group, 1) if nonlinear else None
    else:
        width = 2 * channels.full[group] if nonlinear else None
        first = channels.conv(group, inside, width=width, **window)
        second = channels.conv(inside, "index", 1) if nonlinear else None
    if second is None:
        return first
    return nn.Sequential(Unit(first, channels.norm(inside, gate=False)), nn.ReLU6(), second)


def _spread(weights: Tensor) -> Tensor:
    """From the four weights of each window to the window's four pixels."""
    return F.pixel_shuffle(weights.flatten(1, 2), 2)
