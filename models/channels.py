"""Channels with names: layers that know which channel groups they read and write.

A *group* is a set of channels that must stay aligned: everything that writes the same group is cut
at the same places. Widths live in a *plan*, `{group: width}`; groups whose width never changes
(the image, the matte) are *fixed* and not in the plan.
"""

from collections.abc import Mapping, Sequence

from torch import nn

from models.errors import InputError

Plan = dict[str, int]


class Conv(nn.Conv2d):
    """A convolution that reads a concatenation of groups, (group, width) each, and writes one."""

    def __init__(
        self, reads: Sequence[tuple[str, int]], writes: str, width: int, kernel: int, bias: bool
    ) -> None:
        read_width = sum(width for _, width in reads)
        super().__init__(read_width, width, kernel, padding=kernel // 2, bias=bias)
        self.reads = tuple(reads)
        self.writes = writes


class Norm(nn.BatchNorm2d):
    """A BatchNorm of the group `writes`; its scale is a gate of that group."""

    def __init__(self, writes: str, width: int) -> None:
        super().__init__(width)
        self.writes = writes


class Channels:
    """Makes layers whose widths come from a plan, so that a constructor speaks of names alone.

    Args:
        full: every prunable group with its full width.
        plan: other widths for some or all of these groups; None keeps all full.
        fixed: groups that no plan may change, with their widths.

    Raises:
        InputError: the plan names a group that the network does not have, or a width below one.
    """

    def __init__(self, full: Plan, plan: Mapping[str, int] | None, fixed: Plan) -> None:
        for group, width in (plan or {}).items():
            if group not in full:
                raise InputError(f"plan: no group named {group!r}; there are {', '.join(full)}")
            if isinstance(width, bool) or not isinstance(width, int) or width < 1:
                raise InputError(f"plan: {group} has width {width!r}; give a whole number from 1")
        self.plan: Plan = {**full, **(plan or {})}
        self._widths = {**self.plan, **fixed}

    def conv(self, reads: str | Sequence[str], writes: str, kernel: int, bias: bool = True) -> Conv:
        """A convolution that keeps the picture's size; several `reads` are a concatenation."""
        groups = (reads,) if isinstance(reads, str) else reads
        widths = [(group, self._widths[group]) for group in groups]
        return Conv(widths, writes, self._widths[writes], kernel, bias)

    def norm(self, group: str) -> Norm:
        """The normalisation of what was just written to `group`."""
        return Norm(group, self._widths[group])
