"""Pooling that remembers where the maxima were, and unpooling at these places.

ONNX has no unpooling that its runtimes agree on, so an export (`torch.onnx.is_in_onnx_export`)
writes both as masks of the four pixels of each window, which gives the same values.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def max_pool(x: Tensor) -> tuple[Tensor, Tensor]:
    """The maxima of 2x2 pixels, (N,C,H/2,W/2), and their places for `max_unpool`."""
    if not torch.onnx.is_in_onnx_export():
        return F.max_pool2d(x, 2, return_indices=True)
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    rows = [x[:, :, i:height:2] for i in (0, 1)]
    window = torch.stack([row[..., j:width:2] for row in rows for j in (0, 1)], 2)
    first = window.argmax(2, keepdim=True)  # the first of equal ones, as max_pool2d takes
    return window.amax(2), (first == torch.arange(4).reshape(1, 1, 4, 1, 1)).to(x.dtype)


def max_unpool(x: Tensor, places: Tensor, size: torch.Size) -> Tensor:
    """Put (N,C,h,w) at `places` of zeros (N,C,H,W), H and W being `size`: 2h, 2w or one more."""
    if not torch.onnx.is_in_onnx_export():
        return F.max_unpool2d(x, places, 2, output_size=size)
    spread = F.pixel_shuffle((x[:, :, None] * places).flatten(1, 2), 2)
    return F.pad(spread, (0, size[1] - 2 * x.shape[3], 0, size[0] - 2 * x.shape[2]))
