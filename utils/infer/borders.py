"""What a network sees beyond a side where its input ends but the picture goes on."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class Sides(NamedTuple):
    """Sides of a tile."""

    top: bool
    left: bool
    bottom: bool
    right: bool


class ReplicatePadding(TorchFunctionMode):
    """Within it, each convolution sees its map go on beyond the given sides.

    Zeros, with which convolutions pad, look like an edge in the picture, and deep layers carry it
    far. Beyond the given sides the outermost values of a map are repeated instead. Padding by
    another mode than zeros, or given as a word, stays as it is; of nested ones the innermost holds.
    """

    def __init__(self, sides: Sides) -> None:
        super().__init__()
        self._sides = sides

    def __torch_function__(self, function, types, args=(), kwargs=None):
        call = self._conv2d if function is torch.conv2d else function
        return call(*args, **(kwargs or {}))

    def _conv2d(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
    ) -> Tensor:
        if isinstance(padding, str):
            return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
        rows, columns = (padding, padding) if isinstance(padding, int) else (*padding, *padding)[:2]
        top, left, bottom, right = self._sides
        x = F.pad(input, (columns, columns, rows, rows))
        for dim, width, before, after in ((-2, rows, top, bottom), (-1, columns, left, right)):
            size = x.shape[dim]
            if before:
                x.narrow(dim, 0, width).copy_(x.narrow(dim, width, 1))
            if after:
                x.narrow(dim, size - width, width).copy_(x.narrow(dim, size - width - 1, 1))
        return torch.conv2d(x, weight, bias, stride, 0, dilation, groups)
