"""IndexNet: index blocks window by window, and what votes."""

import itertools

import pytest
import torch
from torch import Tensor, nn

import models
from models.channels import Channels
from models.layers.index_blocks import KINDS, IndexBlock
from tests.models.small import small
from tests.silencing import randomised
from utils.prune import gates, scores, select

SHAPE = (2, 3, 4, 6)


def block(index: str, nonlinear: bool, context: bool) -> IndexBlock:
    torch.manual_seed(3)
    channels = Channels()
    channels.fix(image=2, index=4)
    channels.conv("image", "map", 1, SHAPE[1])
    kind = {"index": index, "nonlinear": nonlinear, "context": context}
    return randomised(IndexBlock(channels, "map", "between", **kind))


def values(branch: nn.Module, patch: Tensor, each: bool) -> Tensor:
    """What one branch says of one window: of each channel from itself, or from all of them."""

    def convolved(conv: nn.Conv2d, patch: Tensor) -> Tensor:
        weights = conv.weight
        return torch.stack(
            [(w * (patch[c] if each else patch)).sum() for c, w in enumerate(weights)]
        )

    if isinstance(branch, nn.Conv2d):
        return convolved(branch, patch)
    norm = branch[0].norm
    x = convolved(branch[0].conv, patch)
    x = (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    return convolved(branch[2], x.clamp(0, 6)[:, None, None])


def plain(block: IndexBlock, x: Tensor, index: str, context: bool) -> tuple[Tensor, Tensor]:
    """Window by window: its four weights for pooling and for upsampling."""
    reach = int(context)
    padded = nn.functional.pad(x, [reach] * 4)
    down, up = torch.zeros(SHAPE, dtype=x.dtype), torch.zeros(SHAPE, dtype=x.dtype)
    for n, i, j in itertools.product(range(2), range(0, 4, 2), range(0, 6, 2)):
        patch = padded[n, :, i : i + 2 + 2 * reach, j : j + 2 + 2 * reach]
        found = [values(branch, patch, index == "o2o") for branch in block.branches]
        scores = found[0].expand(3, 4) if index == "holistic" else torch.stack(found, 1)
        y = 1 / (1 + (-scores).exp())
        z = y.exp() / y.exp().sum(1, keepdim=True)
        for pixel in range(4):
            place = n, slice(None), i + pixel // 2, j + pixel % 2
            down[place], up[place] = z[:, pixel], y[:, pixel]
    return down, up


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("nonlinear", [True, False])
@pytest.mark.parametrize("index", KINDS)
def test_a_block_weighs_the_pixels_of_each_window(index, nonlinear, context):
    made = block(index, nonlinear, context)
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with torch.no_grad():
        got = made(x)
        expected = plain(made, x, index, context)
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.shape[1] == (1 if index == "holistic" else 3)
        torch.testing.assert_close(ours.expand(SHAPE), theirs, rtol=1e-10, atol=1e-12)
    assert got[0].std() > 0.01 and got[1].std() > 0.01


def test_a_narrow_index_block_has_the_channels_of_its_map():
    network = models.build("indexnet", {"layer3": 5, "layer6": 7})
    for k, width in ((3, 5), (6, 7)):
        block = getattr(network, f"index{k}")
        assert all(branch[0].conv.weight.shape[:2] == (width, width) for branch in block.branches)
    assert network.decoder4.conv.weight.shape[0] == 5  # what is upsampled by index3
    assert network.aspp.fuse.conv.weight.shape[0] == 7


def test_index_blocks_do_not_vote_and_a_group_without_a_vote_stays_whole():
    for index in KINDS:
        norms = [m for m in block(index, True, True).modules() if hasattr(m, "gate")]
        assert len(norms) == (1 if index == "holistic" else 4)
        assert not any(norm.gate for norm in norms)
    network = small("indexnet", index="holistic")
    voted = gates(network)
    assert {f"index{k}" for k in (0, 2, 3, 4, 6)} == network.plan.keys() - voted.keys()
    keep = select(network, 0.25)
    assert keep.keys() == voted.keys() == scores(network).keys()
    depthwise = gates(small("indexnet"))
    assert len(depthwise["layer0"]) == 3  # the stem, a depthwise convolution, decoder1
