"""What a tile knows of its picture beyond it: how maps go on at its sides, and global means."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import get_ident

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from models import Network
from models.layers.basic import GlobalMean
from utils.infer.tiles import Box, Forward, Sides, Tile


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


class _AllSeen(Exception):
    """Ends a forward pass of which no more is needed."""


@contextmanager
def whole_picture_means(
    network: Network, forward: Forward, image: np.ndarray, trimap: np.ndarray, side: int
) -> Iterator[None]:
    """Within it, a network that sees a tile takes the means of the whole picture.

    They are added up first, over parts of at most side x side pixels that see one cell beyond their
    core; more changes a mean little. Each pass ends with the last layer that takes one.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, GlobalMean)]
    sums: dict[GlobalMean, Tensor] = {}
    for part in _parts(trimap.shape, network.stride, side) if layers else ():
        for layer, value in _sums(layers, part, network.stride, forward, image, trimap).items():
            sums[layer] = sums.get(layer, 0) + value
    height, width = (-(-size // network.stride) for size in trimap.shape)

    def whole(layer: GlobalMean, x: Tensor, mean: Tensor) -> Tensor:
        return (sums[layer] / (height * width)).to(mean.dtype).expand_as(mean)

    with _hooked(layers, whole):
        yield


def _parts(shape: tuple[int, int], stride: int, side: int) -> Iterator[Tile]:
    """A grid of cores that covers a picture, each with a halo of a cell."""
    height, width = shape
    core = max(1, side // stride - 2) * stride
    for top in range(0, height, core):
        for left in range(0, width, core):
            bottom, right = min(top + core, height), min(left + core, width)
            near = max(top - stride, 0), max(left - stride, 0)
            far = min(bottom + stride, height), min(right + stride, width)
            yield Tile(Box(top, left, bottom, right), Box(*near, *far))


def _sums(
    layers: Sequence[GlobalMean],
    part: Tile,
    stride: int,
    forward: Forward,
    image: np.ndarray,
    trimap: np.ndarray,
) -> dict[GlobalMean, Tensor]:
    """Of what each layer averages, the sum over the core of a part, (1,C,1,1)."""
    core, outer = part
    rows = slice((core.top - outer.top) // stride, -(-(core.bottom - outer.top) // stride))
    columns = slice((core.left - outer.left) // stride, -(-(core.right - outer.left) // stride))
    found: dict[GlobalMean, Tensor] = {}

    def add(layer: GlobalMean, x: Tensor, mean: Tensor) -> None:
        found[layer] = x[..., rows, columns].sum((2, 3), keepdim=True, dtype=torch.float32)
        if len(found) == len(layers):
            raise _AllSeen

    with _hooked(layers, add), suppress(_AllSeen):
        window = (None, *outer.window)
        forward(image[window], trimap[window], part.ends_within(trimap.shape))
    return found


@contextmanager
def _hooked(
    layers: Sequence[GlobalMean], hook: Callable[[GlobalMean, Tensor, Tensor], Tensor | None]
) -> Iterator[None]:
    """Call `hook(layer, map, mean)` after each layer; what it gives replaces the mean."""
    thread = get_ident()  # another one may use the network for a picture of its own

    def own(layer: GlobalMean, inputs: tuple[Tensor], mean: Tensor) -> Tensor | None:
        return hook(layer, *inputs, mean) if get_ident() == thread else None

    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(layer.register_forward_hook(own))
        yield
