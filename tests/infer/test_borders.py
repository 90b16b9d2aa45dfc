"""Where a tile ends and the picture goes on, maps go on; elsewhere all is as ever."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from models.channels import Channels
from utils.infer.context import ReplicatePadding
from utils.infer.tiles import Sides

FLAG = st.booleans()


@settings(max_examples=60, derandomize=True)
@given(
    sides=st.builds(Sides, FLAG, FLAG, FLAG, FLAG),
    kernel=st.sampled_from([(1, 1), (3, 3), (5, 5), (1, 5), (3, 1)]),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    depthwise=FLAG,
    size=st.tuples(st.integers(7, 12), st.integers(7, 12)),
)
def test_a_convolution_sees_its_input_repeated_beyond_these_sides_and_zeros_beyond_the_others(
    sides, kernel, stride, dilation, depthwise, size
):
    torch.manual_seed(0)
    rows, columns = (dilation * (k // 2) for k in kernel)
    groups = 4 if depthwise else 1
    conv = nn.Conv2d(4, 8, kernel, stride, (rows, columns), dilation, groups)
    bare = nn.Conv2d(4, 8, kernel, stride, 0, dilation, groups)
    bare.load_state_dict(conv.state_dict())
    x = torch.rand(2, 4, *size)
    top, left, bottom, right = sides
    seen = F.pad(x, (columns * left, columns * right, rows * top, rows * bottom), "replicate")
    zeros = columns * (not left), columns * (not right), rows * (not top), rows * (not bottom)
    with torch.no_grad():
        with ReplicatePadding(sides):
            found = conv(x)
        assert torch.allclose(found, bare(F.pad(seen, zeros)), atol=1e-6)
        assert torch.allclose(conv(x), bare(F.pad(x, (columns, columns, rows, rows))), atol=1e-6)


def test_a_convolution_of_several_maps_sees_each_of_them_repeated():
    torch.manual_seed(0)
    channels = Channels()
    channels.fix(a=2, b=3)
    conv = channels.conv(("a", "b"), "out", 3, 4, bias=True)
    maps = torch.rand(1, 2, 8, 9), torch.rand(1, 3, 8, 9)
    with torch.no_grad(), ReplicatePadding(Sides(True, False, False, True)):
        torch.testing.assert_close(conv(*maps), conv(torch.cat(maps, 1)))
