"""Channels: every kind of layer is cut as it is silenced, and folds into plain weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.channels import Channels, Norm, Scale
from models.errors import InputError
from models.layers.basic import Unit, unit
from models.network import Network
from tests.silencing import check_cut, randomised
from utils.prune import cut, gates, open_gates
from utils.prune.gates import part_of


class Toy(Network):
    """Each kind of layer once, in no registry: on_plan, cut and folded must not need one."""

    name = "toy"

    def __init__(self, channels: Channels, spectral: bool = True, auxiliary: bool = True) -> None:
        super().__init__(channels, {"spectral": spectral, "auxiliary": auxiliary}, {})
        channels.fix(image=3, out=2)
        # A stream that three layers write, one of them in the decoder.
        self.stem = unit(channels, "image", "stream", 3, 8, stride=2, bias=True)
        self.inner = unit(channels, "stream", "inner", 3, 6, dilation=2, spectral=spectral)
        self.back = unit(channels, "inner", "stream", 3)
        self.deep = unit(channels, "stream", "deep", 3, 7)
        self.climb = unit(channels.part("decoder"), "deep", "stream", 3)
        self.late = channels.norm("stream")  # behind a ReLU, so that it folds into no convolution
        # Without a norm, and with a spectral one.
        up = channels.transposed(("inner", "stream"), "up", 2, 6, stride=2, bias=True)
        self.up = Unit(up, channels.scale("up"))
        wide = channels.transposed("stream", "wide", 4, 5, stride=2, padding=1, spectral=spectral)
        self.wide = Unit(wide, channels.norm("wide"))
        # Groups in another order than written, one of them twice, beside a fixed one.
        self.join = unit(channels, ("wide", "image", "up", "wide"), "join", 1, 5, padding=0)
        self.out = channels.conv(("join", "up"), "out", 3)
        self.auxiliary = unit(channels, "join", "aside", 3, 4) if auxiliary else None

    def forward(self, x):
        return self.compute(x, None)

    def compute(self, x, stages):
        stream = F.relu(self.stem(x))
        inner = F.relu(self.inner(stream))
        stream = F.relu(stream + self.back(inner))
        pooled, places = F.max_pool2d(stream, 2, return_indices=True)
        climb = self.climb(F.relu(self.deep(pooled)))
        stream = stream + F.max_unpool2d(climb, places, 2, output_size=stream.shape[-2:])
        stream = self.late(F.relu(stream))
        up = F.relu(self.up(torch.cat([inner, stream], 1)))
        wide = F.relu(self.wide(stream))
        join = F.relu(self.join(torch.cat([wide, x, up, wide.flip(-1)], 1)))
        return self.out(torch.cat([join, up], 1))

    def example(self, batch=1, height=32, width=32):
        return (torch.zeros(batch, 3, height, width),)


def toy() -> Network:
    torch.manual_seed(1)
    network = Toy.on_plan(gates=True)
    with torch.no_grad():  # leaves the vectors of the spectral norms as training would
        network(picture().float())
    return randomised(network)


def picture() -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2, 3, 20, 24, generator=generator, dtype=torch.float64)


SHOWN = ("stream", "inner", "deep", "up", "wide", "join")  # in the output; "aside" is not


@pytest.mark.parametrize("groups", [*([one] for one in SHOWN), SHOWN], ids=str)
def test_cut_computes_what_the_silenced_network_does(groups):
    check_cut(toy(), list(groups), (picture(),))


def test_folded_computes_the_same_with_plain_layers_and_can_be_built_again_and_cut():
    network = toy()
    folded = network.folded()
    with torch.no_grad():
        expected, got = network(picture()), folded(picture())
    assert (got - expected).abs().max() <= 1e-6 * expected.abs().max()
    kinds = {name: type(module) for name, module in folded.named_modules()}
    assert Scale not in kinds.values()
    assert [name for name, kind in kinds.items() if kind is Norm] == ["late"]
    assert folded.structure == {"spectral": False, "auxiliary": False, "folded": True}
    assert "aside" not in folded.plan and "parametrizations" not in " ".join(folded.state_dict())
    again = Toy.on_plan(folded.plan, **folded.structure).double().eval()
    again.load_state_dict(folded.state_dict())
    with torch.no_grad():
        assert torch.equal(again(picture()), got)
    assert cut(folded, {"stream": [0, 2]})(picture()).shape == got.shape


def test_a_cut_leaves_no_spectral_norm_and_cuts_an_auxiliary_head():
    small = cut(toy(), {"join": [0, 3], "aside": [1]})
    assert small.structure == {"spectral": False, "auxiliary": True}
    assert type(small.inner.conv.weight) is nn.Parameter
    assert small.auxiliary.conv.weight.shape[:2] == (1, 2)


def test_a_layer_that_declares_no_axes_is_an_error_and_not_left_at_random():
    class Foreign(Toy):
        def __init__(self, channels, **structure):
            super().__init__(channels, **structure)
            self.scale = nn.Linear(2, 2)

    with pytest.raises(ValueError, match=r"toy: scale\.weight declares no axes"):
        cut(Foreign.on_plan(), {"join": [0]})


def test_learned_scales_are_gates_where_there_is_no_norm():
    network = toy()
    assert len(gates(network)["up"]) == 1
    open_gates(network)
    assert (network.up.norm.weight == 0.5).all()
    assert not any(isinstance(module, Scale) for module in Toy.on_plan().modules())


def test_a_group_belongs_to_the_decoder_if_a_decoder_norm_writes_it():
    parts = {group: part_of(members) for group, members in gates(toy()).items()}
    assert [group for group, part in parts.items() if part == "decoder"] == ["stream"]


def test_frozen_norms_keep_their_statistics_in_training_mode():
    network = toy()
    network.stem.norm.frozen = True
    before = network.stem.norm.running_mean.clone(), network.inner.norm.running_mean.clone()
    network.train()(picture())
    assert torch.equal(network.stem.norm.running_mean, before[0])
    assert not torch.equal(network.inner.norm.running_mean, before[1])


def test_plans_are_checked_and_groups_declared_once():
    with pytest.raises(InputError, match="no group named 'z'; there are stream, inner, deep"):
        Toy.on_plan({"z": 3})
    for width in (0, True, 2.0):
        with pytest.raises(InputError, match="join has width"):
            Toy.on_plan({"join": width})
    channels = Channels()
    channels.fix(image=3)
    channels.conv("image", "a", 3, 8)
    with pytest.raises(ValueError, match="a is declared already"):
        channels.conv("image", "a", 3, 8)


def test_what_will_be_loaded_draws_nothing():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    cut(Toy.blank(), {"join": [0]})
    assert torch.equal(torch.rand(3), expected)


def test_a_convolution_of_several_maps_is_that_of_their_concatenation():
    torch.manual_seed(0)
    channels = Channels()
    channels.fix(a=3, b=2, c=4)
    conv = channels.conv(("a", "b", "c"), "out", 3, 5, stride=2, bias=True).double()
    maps = [torch.rand(2, width, 9, 8).double() for width in (3, 2, 4)]
    expected = conv(torch.cat(maps, 1))
    torch.testing.assert_close(conv(*maps), expected)
    with pytest.raises(RuntimeError):
        conv(*maps[:2])
    sum(expected.flatten()).backward()
    wanted, conv.weight.grad = conv.weight.grad, None
    sum(conv(*maps).flatten()).backward()
    torch.testing.assert_close(conv.weight.grad, wanted)
