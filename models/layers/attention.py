"""Guided contextual attention (Li and Lu, AAAI 2020), in chunks of queries."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.channels import Channels, without_autocast
from models.layers.basic import Unit

CHUNK = 2**22  # scores held at once, 16 MiB
MIN_LENGTH = 1e-4  # a key of less length is not made longer
MAX_SCALE = 10.0  # how much the scale favours known or unknown keys, and 1 / MAX_SCALE at least
OWN_PLACE = 1e4  # taken from the score of an unknown key for its own place


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
        with without_autocast(x):
            dtype = self.features.conv.weight.dtype
            attended = attend(features.to(dtype), x.to(dtype), unknown[..., ::2, ::2].to(dtype))
        return x + self.project(attended)


def attend(features: Tensor, values: Tensor, unknown: Tensor, chunk: int = CHUNK) -> Tensor:
    """Each place of `values` as a mean of the places whose features look alike.

    Queries are the 3x3 neighbourhoods of the features, keys are the same at unit length; values
    are 4x4 patches at stride 2, which overlap and are averaged where they are put. Known and
    unknown keys count by how few there are of their kind, and an unknown place does not attend to
    itself. All borders are continued by reflection.

    Args:
        features: (N,F,H/2,W/2).
        values: (N,C,H,W), H and W even.
        unknown: (N,1,H/2,W/2), 0 or 1.
        chunk: how many scores are held at once, of a row of queries at least.

    Returns:
        (N,C,H,W).
    """
    count, _, height, width = features.shape
    features = _reflected(features)
    touched = F.max_pool2d(_reflected(unknown), 3, 1) > 0  # its neighbourhood has unknown places
    length = 9 * F.avg_pool2d(features.square().sum(1, keepdim=True), 3, 1)
    scale = _scale(unknown, touched) / length.clamp_min(MIN_LENGTH**2).sqrt()
    itself = OWN_PLACE * touched.flatten(1).to(scale.dtype)
    # A patch is two by two cells of two by two pixels.
    cells = F.pixel_unshuffle(_reflected(values), 2)

    if torch.onnx.is_in_onnx_export():
        return _at_once(features, cells, scale, itself)
    rows = max(1, chunk // (count * width * height * width))
    attended = torch.zeros_like(cells)
    for top in range(0, height, rows):
        scores = _patch_products(features[:, :, top : top + rows + 2], features)
        scores *= scale[:, None]
        scores = scores.flatten(3).flatten(1, 2)
        first, last = top * width, top * width + scores.shape[1]
        scores.diagonal(first, 1, 2).sub_(itself[:, first:last])
        weights = _cell_weights(scores.softmax(-1).reshape(count, -1, width, height, width))
        part = cells.flatten(2) @ weights.flatten(3).flatten(1, 2).mT
        part = part.unflatten(2, (-1, width + 1))
        attended[:, :, top : top + part.shape[2]] += part
    return F.pixel_shuffle(attended, 2)[..., 1:-1, 1:-1] / 4


def _at_once(features: Tensor, cells: Tensor, scale: Tensor, itself: Tensor) -> Tensor:
    """`attend` of all queries at once and without writing in place, as an export needs it."""
    count, _, height, width = scale.shape
    scores = (_patch_products(features, features) * scale[:, None]).flatten(3).flatten(1, 2)
    place = torch.arange(height * width)
    scores = scores - (place == place[:, None]).to(scores.dtype) * itself[:, None]
    weights = scores.softmax(-1).reshape(count, height, width, height, width)
    weights = F.pad(weights, (0, 1, 0, 0, 0, 1)) + F.pad(weights, (1, 0, 0, 0, 1, 0))
    weights = F.pad(weights, (0, 0, 0, 1, 0, 0, 0, 1)) + F.pad(weights, (0, 0, 1, 0, 0, 0, 1, 0))
    attended = cells.flatten(2) @ weights.flatten(3).flatten(1, 2).transpose(1, 2)
    attended = attended.reshape(cells.shape)
    return F.pixel_shuffle(attended, 2)[..., 1:-1, 1:-1] / 4


def _patch_products(queries: Tensor, keys: Tensor) -> Tensor:
    """Of each 3x3 neighbourhood of `queries` with each one of `keys`: (N,h,w,H,W).

    Neighbourhoods share their places, so each two places are multiplied once, then added up along
    one axis after the other.
    """
    single = queries.flatten(2).transpose(1, 2) @ keys.flatten(2)
    single = single.unflatten(2, keys.shape[2:]).unflatten(1, queries.shape[2:])
    line = single[:, :, :-2, :, :-2] + single[:, :, 1:-1, :, 1:-1]
    line += single[:, :, 2:, :, 2:]
    del single
    square = line[:, :-2, :, :-2] + line[:, 1:-1, :, 1:-1]
    square += line[:, 2:, :, 2:]
    return square


def _cell_weights(weights: Tensor) -> Tensor:
    """From each patch to each patch (N,h,w,H,W): the weight of cells, (N,h+1,w+1,H+1,W+1).

    All four cells of a patch have its weight, and a cell is part of up to four patches.
    """
    count, top, left, height, width = weights.shape
    cells = weights.new_zeros(count, top + 1, left + 1, height + 1, width + 1)
    line = weights.new_zeros(count, top, left + 1, height, width + 1)
    line[:, :, :-1, :, :-1] = weights
    line[:, :, 1:, :, 1:] += weights
    cells[:, :-1, :, :-1] = line
    cells[:, 1:, :, 1:] += line
    return cells


def _scale(unknown: Tensor, touched: Tensor) -> Tensor:
    """How much the scores with each key count."""
    share = unknown.mean((1, 2, 3), keepdim=True)
    odds = (share / (1 - share)).sqrt()  # infinite where all is unknown
    return torch.where(touched, odds, 1 / odds).clamp(1 / MAX_SCALE, MAX_SCALE)


def _reflected(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), "reflect")
