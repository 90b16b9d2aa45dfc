"""Channels with names: layers that know which channel groups they read and write.

A *group* is a set of channels that must stay aligned: all that writes the same group is cut at the
same places. Widths live in a *plan*, `{group: width}`. Groups whose width never changes (the image,
the matte, the classes) are *fixed* and not in the plan.

Every layer with parameters has `axes`, which names the group of each axis of each parameter:
`{"weight": (writes, reads), "bias": (writes,)}`. An axis that reads a concatenation names a tuple
of groups, one that holds no channels is None or left out at the end.
"""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from models.errors import InputError

FIRST = 15  # power iterations on a new weight
Plan = dict[str, int]
Groups = str | Sequence[str]
Axes = dict[str, tuple[str | tuple[str, ...] | None, ...]]


class Channels:
    """Makes the layers of one network, so that its constructor speaks of names.

    A group is declared, with its full width, where it is first written; the plan decides how wide
    it really is.

    Args:
        plan: other widths for some or all of the groups.
        gates: give each convolution that no norm follows a learned scale for its channels, which
            can then be pruned like a norm's.
    """

    def __init__(self, plan: Mapping[str, int] | None = None, gates: bool = False) -> None:
        self._requested = dict(plan or {})
        self._gates = gates
        self._part = "encoder"
        self.plan: Plan = {}  # the prunable groups
        self.widths: dict[str, int] = {}  # all groups
        self.full: dict[str, int] = {}  # all groups, as without a plan

    def fix(self, **widths: int) -> None:
        """Declare groups that no plan may change."""
        self.widths |= widths
        self.full |= widths

    def part(self, name: str) -> "Channels":
        """The same channels; the norms made through it belong to that part of the network."""
        view = copy.copy(self)
        view._part = name
        return view

    def check_plan(self) -> None:
        """Raise an `InputError` where the plan names a group that the network does not have."""
        for group in self._requested:
            if group not in self.plan:
                known = ", ".join(self.plan)
                raise InputError(f"plan: no group named {group!r}; there are {known}")

    def conv(
        self,
        reads: Groups,
        writes: str,
        kernel: int,
        width: int | None = None,
        *,
        spectral: bool = False,
        **geometry,
    ) -> "Conv":
        """A convolution; several `reads` are a concatenation.

        Args:
            width: the full width of `writes`, where it is written first.
            spectral: divide the weight by its spectral norm (Miyato et al., ICLR 2018).
            geometry: of `Conv`.
        """
        groups, inputs = self._read(reads)
        layer = Conv(inputs, self._write(writes, width), kernel, **geometry)
        layer.axes = {"weight": (writes, groups), "bias": (writes,)}
        return _with_spectral_norm(layer) if spectral else layer

    def depthwise(self, group: str, kernel: int, **geometry) -> "Conv":
        """A convolution of each channel for itself: reads and writes the same group."""
        width = self.widths[group]
        layer = Conv(width, width, kernel, groups=width, **geometry)
        layer.axes = {"weight": (group, None), "bias": (group,)}
        return layer

    def transposed(
        self,
        reads: Groups,
        writes: str,
        kernel: int,
        width: int | None = None,
        *,
        spectral: bool = False,
        **geometry,
    ) -> "TransposedConv":
        """A transposed convolution; its weight holds what it reads first."""
        groups, inputs = self._read(reads)
        layer = TransposedConv(inputs, self._write(writes, width), kernel, **geometry)
        layer.axes = {"weight": (groups, writes), "bias": (writes,)}
        return _with_spectral_norm(layer) if spectral else layer

    def norm(self, group: str, *, gate: bool = True) -> "Norm":
        """The BatchNorm of what was just written to `group`.

        Args:
            gate: whether its scale tells how much a channel matters. Those inside index blocks or
                attention do not.
        """
        return Norm(group, self.widths[group], self._part, gate)

    def scale(self, group: str) -> "Scale | nn.Identity":
        """The learned scale of a group that no norm writes; nothing without `gates`."""
        return Scale(group, self.widths[group], self._part) if self._gates else nn.Identity()

    def _read(self, reads: Groups) -> tuple[tuple[str, ...], int]:
        """The groups, and how many channels they have together."""
        groups = (reads,) if isinstance(reads, str) else tuple(reads)
        return groups, sum(self.widths[group] for group in groups)

    def _write(self, group: str, width: int | None) -> int:
        if width is not None:
            if group in self.widths:
                raise ValueError(f"{group} is declared already; its width stands where it was")
            self.full[group] = width
            width = self._requested.get(group, width)
            if isinstance(width, bool) or not isinstance(width, int) or width < 1:
                raise InputError(f"plan: {group} has width {width!r}; give a whole number from 1")
            self.plan[group] = self.widths[group] = width
        return self.widths[group]


class Conv(nn.Conv2d):
    """A convolution between groups.

    Args:
        padding: None keeps the picture's size at stride 1.
    """

    axes: Axes

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        padding: int | None = None,
        dilation: int = 1,
        bias: bool = False,
        **geometry,
    ) -> None:
        padding = dilation * (kernel // 2) if padding is None else padding
        geometry |= {"padding": padding, "dilation": dilation, "bias": bias}
        super().__init__(inputs, outputs, kernel, **geometry)

    def forward(self, *maps: Tensor) -> Tensor:
        """Of several maps, the convolution of their concatenation.

        It is the sum of theirs, and large maps need not be written and read once more for it.
        """
        weights = self.weight.split([x.shape[1] for x in maps], 1) if maps[1:] else [self.weight]
        y = self._conv_forward(maps[0], weights[0], self.bias)
        for x, weight in zip(maps[1:], weights[1:], strict=True):
            y += self._conv_forward(x, weight, None)
        return y


class TransposedConv(nn.ConvTranspose2d):
    """A transposed convolution between groups."""

    axes: Axes

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 2, bias: bool = False, **rest
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=bias, **rest)


class Norm(nn.BatchNorm2d):
    """A BatchNorm of the group `writes`, in a `part` of the network.

    Where it is a `gate`, its scale tells how much a channel matters. Once `frozen`, it keeps its
    statistics in training mode, too.
    """

    def __init__(self, writes: str, width: int, part: str, gate: bool = True) -> None:
        super().__init__(width)
        self.writes, self.part, self.gate, self.frozen = writes, part, gate, False
        entries = ("weight", "bias", "running_mean", "running_var")
        self.axes: Axes = {**dict.fromkeys(entries, (writes,)), "num_batches_tracked": ()}

    def train(self, mode: bool = True) -> "Norm":
        return super().train(mode and not self.frozen)


class Scale(nn.Module):
    """A learned factor for each channel of the group `writes`; a gate where there is no norm."""

    gate = True

    def __init__(self, writes: str, width: int, part: str) -> None:
        super().__init__()
        self.writes, self.part = writes, part
        self.axes: Axes = {"weight": (writes,)}
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[:, None, None]


class SpectralNorm(nn.Module):
    """W / (u . W v): the weight divided by its largest singular value (Miyato et al., ICLR 2018).

    u and v follow W by one power iteration at each step of training.
    In evaluation mode the stored ones serve unchanged. The first axis of W is the matrix's rows,
    for transposed convolutions, too, as GCA has it. Autocast is kept out: on CUDA it would multiply
    matrix and vector in half precision.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("u", matrix.new_empty(matrix.shape[0]))
        self.register_buffer("v", matrix.new_empty(matrix.shape[1]))
        if not matrix.is_meta:  # which holds no numbers, and is slow at making none
            self.u.normal_()
            for _ in range(FIRST):
                self._iterate(matrix)

    def forward(self, weight: Tensor) -> Tensor:
        with without_autocast(weight):
            matrix = weight.flatten(1)
            if self.training:
                self._iterate(matrix.detach())
            # At unit length, which the mean of several steps and half precision do not keep.
            u, v = F.normalize(self.u, dim=0), F.normalize(self.v, dim=0)
            return weight / torch.dot(u, torch.mv(matrix, v))

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        self.v.copy_(F.normalize(torch.mv(matrix.t(), self.u), dim=0))
        self.u.copy_(F.normalize(torch.mv(matrix, self.v), dim=0))


def _with_spectral_norm(layer: nn.Module) -> nn.Module:
    norm = SpectralNorm(layer.weight)
    # It keeps shape and type; "unsafe" only leaves out a call that would test that.
    return parametrize.register_parametrization(layer, "weight", norm, unsafe=True)


def without_autocast(x: Tensor) -> torch.autocast:
    """A context in which the device of `x` computes in the types that tensors have."""
    return torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False)
