"""Guided contextual attention (Li and Lu, AAAI 2020), in chunks of queries."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels
from models.layers import Unit
from models.precision import full_precision

CHUNK = 2**22  # scores held at once, 16 MiB
SMALLEST = 1e-4  # a key of less length is not made longer
MOST = 10.0  # how much the scale favours known or unknown keys, and 1 / MOST at least
MYSELF = 1e4  # taken from the score of an unknown key for its own place


class GuidedAttention(nn.Module):
    """Adds to the group `values` what places that look alike have in it.

    Which look alike is told by features of the picture, the group `guidance`, in a width of their
    own, the group `features`. The norm of what is added is no gate.

    Args:
        width: full width of `features`.
    """

    def __init__(
        self, channels: Channels, guidance: str, features: str, values: str, width: int
    ) -> None:
        super().__init__()
        conv = channels.conv(guidance, features, 1, width, bias=True)
        self.features = Unit(conv, channels.scale(features))
        self.project = Unit(channels.conv(values, values, 1), channels.norm(values, gate=False))

    def forward(self, x: Tensor, guidance: Tensor, unknown: Tensor) -> Tensor:
        """Of x (N,C,H,W), guidance (N,G,H,W) and unknown (N,1,H,W), which is 0 or 1."""
        features = self.features(guidance[..., ::2, ::2])
        # Scores reach hundreds, and the softmax of such values sees what half precision rounds.
        with full_precision(x):
            kind = self.features.conv.weight.dtype
            found = attend(features.to(kind), x.to(kind), unknown[..., ::2, ::2].to(kind))
        return x + self.project(found)


def attend(features: Tensor, values: Tensor, unknown: Tensor, chunk: int = CHUNK) -> Tensor:
    """Each place of `values` as a mean of the places whose features look alike.

    Queries are the 3x3 neighbourhoods of the features, keys are the same at unit length; values
    are overlapping 4x4 patches. Known and unknown keys count by how few there are of their kind,
    and an unknown place does not attend to itself. All borders are continued by reflection.

    Args:
        features: (N,F,H/2,W/2).
        values: (N,C,H,W), H and W even.
        unknown: (N,1,H/2,W/2), 0 or 1.
        chunk: how many scores are held at once, of a row of queries at least.

    Returns:
        (N,C,H,W).
    """
    queries = F.unfold(_reflected(features), 3)
    patches = F.unfold(_reflected(values), 4, stride=2)
    touched = F.avg_pool2d(_reflected(unknown), 3, 1).flatten(2) > 0  # its patch has unknown places
    length = queries.norm(dim=1, keepdim=True).clamp_min(SMALLEST)
    keys = queries * (_scale(unknown, touched) / length)
    itself = MYSELF * touched[:, 0].to(queries.dtype)

    count, _, places = queries.shape
    step = max(1, chunk // (count * places))
    found = []
    for start in range(0, places, step):
        scores = queries[..., start : start + step].mT @ keys
        scores.diagonal(start, 1, 2).sub_(itself[:, start : start + step])
        found.append(patches @ scores.softmax(-1).mT)
    # Each pixel lies in four patches.
    return F.fold(torch.cat(found, -1), values.shape[-2:], 4, stride=2, padding=1) / 4


def _scale(unknown: Tensor, touched: Tensor) -> Tensor:
    """The factor of each key's scores, (N,1,L)."""
    share = unknown.mean((2, 3))[..., None]
    odds = (share / (1 - share)).sqrt()  # infinite where all is unknown
    return torch.where(touched, odds, 1 / odds).clamp(1 / MOST, MOST)


def _reflected(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), "reflect")
