"""Atrous spatial pyramid pooling with depthwise branches (Chen et al., ECCV 2018)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.layers.basic import GlobalMean, Unit, unit

DILATIONS = (2, 4, 8)
WIDTH = 256  # of each branch


class Aspp(nn.Module):
    """Looks at a map pixel by pixel, at three distances and as a whole, then fuses the five views.

    Branch I writes the group `aspp.I`.

    Args:
        width: full width of `writes`, where it is written first.
    """

    def __init__(
        self, channels: Channels, reads: str, writes: str, width: int | None = None
    ) -> None:
        super().__init__()
        groups = [f"aspp.{i}" for i in range(1, 6)]
        self.point = unit(channels, reads, groups[0], 1, WIDTH)
        self.atrous = nn.ModuleList(
            nn.Sequential(
                Unit(channels.depthwise(reads, 3, dilation=dilation), channels.norm(reads)),
                nn.ReLU6(),
                unit(channels, reads, group, 1, WIDTH),
            )
            for dilation, group in zip(DILATIONS, groups[1:4], strict=True)
        )
        self.mean = GlobalMean()
        self.whole = unit(channels, reads, groups[4], 1, WIDTH)
        self.fuse = unit(channels, groups, writes, 1, width)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) to (N,C',H,W)."""
        whole = self.whole(self.mean(x)).expand(-1, -1, *x.shape[2:])
        views = [self.point(x), *(branch(x) for branch in self.atrous), whole]
        return self.dropout(F.relu6(self.fuse(F.relu6(torch.cat(views, 1)))))
