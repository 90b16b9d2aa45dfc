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
    """No entry of the registry: on_plan, cut and folded must not need one."""

    name = "toy"

    def __init__(self, channels: Channels, structure: dict | None = None) -> None:
        super().__init__(channels, structure or {}, {})
        channels.fix(image=3, out=2)

    def forward(self, x):
        return self.compute(x, None)

    def example(self, batch=1, height=32, width=32):
        return (torch.zeros(batch, 3, height, width),)


class Strides(Toy):
    """Stride, dilation and another padding."""

    def __init__(self, channels):
        super().__init__(channels)
        self.a = unit(channels, "image", "a", 3, 8, stride=2)
        self.b = unit(channels, "a", "b", 3, 6, dilation=2, bias=True)
        self.c = unit(channels, "b", "c", 3, 5, padding=0)
        self.out = channels.conv("c", "out", 1, bias=True)

    def compute(self, x, stages):
        return self.out(F.relu(self.c(F.relu(self.b(F.relu(self.a(x)))))))


class Transposed(Toy):
    def __init__(self, channels):
        super().__init__(channels)
        self.down = unit(channels, "image", "down", 3, 8, stride=2)
        up = channels.transposed(("down", "image"), "up", 4, 6, padding=1, bias=True)
        self.up = Unit(up, channels.norm("up"))
        self.out = channels.conv("up", "out", 3)

    def compute(self, x, stages):
        y = torch.cat([F.relu(self.down(x)), F.avg_pool2d(x, 2)], 1)
        return self.out(F.relu(self.up(y)))


class Concatenations(Toy):
    """Groups read in another order than written, one of them twice, beside a fixed one."""

    def __init__(self, channels):
        super().__init__(channels)
        self.a = unit(channels, "image", "a", 3, 4)
        self.b = unit(channels, "a", "b", 3, 3)
        self.join = unit(channels, ("b", "image", "a", "b"), "join", 1, 5)
        self.out = channels.conv(("join", "b"), "out", 1)

    def compute(self, x, stages):
        a = F.relu(self.a(x))
        b = F.relu(self.b(a))
        join = F.relu(self.join(torch.cat([b, x, a, b.flip(-1)], 1)))
        return self.out(torch.cat([join, b], 1))


class Residuals(Toy):
    """A stream that three convolutions write, one of them in the decoder; pooled places."""

    def __init__(self, channels):
        super().__init__(channels)
        self.stem = unit(channels, "image", "stream", 3, 8)
        self.inner = unit(channels, "stream", "inner", 3, 6)
        self.back = unit(channels, "inner", "stream", 3)
        self.deep = unit(channels, "stream", "deep", 3, 7)
        self.up = unit(channels.part("decoder"), "deep", "stream", 3)
        self.out = channels.conv("stream", "out", 3)

    def compute(self, x, stages):
        x = F.relu(self.stem(x))
        x = F.relu(x + self.back(F.relu(self.inner(x))))
        pooled, places = F.max_pool2d(x, 2, return_indices=True)
        up = self.up(F.relu(self.deep(pooled)))
        return self.out(x + F.max_unpool2d(up, places, 2, output_size=x.shape[-2:]))


class Normless(Toy):
    """No norm anywhere: learned scales are the gates."""

    def __init__(self, channels):
        super().__init__(channels)
        self.a = Unit(channels.conv("image", "a", 3, 8, bias=True), channels.scale("a"))
        self.b = Unit(channels.transposed("a", "b", 2, 6, bias=True), channels.scale("b"))
        self.out = channels.conv("b", "out", 3, bias=True)

    def compute(self, x, stages):
        return self.out(F.relu(self.b(F.relu(self.a(x)))))


class Spectral(Toy):
    def __init__(self, channels, spectral: bool = True):
        super().__init__(channels, {"spectral": spectral})
        self.a = unit(channels, "image", "a", 3, 8, spectral=spectral)
        up = channels.transposed("a", "b", 4, 6, padding=1, spectral=spectral)
        self.b = Unit(up, channels.norm("b"))
        self.late = channels.norm("b")  # behind a ReLU, so that it folds into no convolution
        self.out = channels.conv("b", "out", 3)

    def compute(self, x, stages):
        return self.out(self.late(F.relu(self.b(F.relu(self.a(x))))))


class Auxiliary(Toy):
    """A head that only training needs."""

    def __init__(self, channels, auxiliary: bool = True):
        super().__init__(channels, {"auxiliary": auxiliary})
        self.a = unit(channels, "image", "a", 3, 8)
        self.out = channels.conv("a", "out", 3)
        self.auxiliary = unit(channels, "a", "aside", 3, 4) if auxiliary else None

    def compute(self, x, stages):
        return self.out(F.relu(self.a(x)))


TOYS = {
    toy.__name__: toy
    for toy in (Strides, Transposed, Concatenations, Residuals, Normless, Spectral, Auxiliary)
}


def toy(name: str, **structure) -> Network:
    torch.manual_seed(1)
    network = TOYS[name].on_plan(gates=name == "Normless", **structure)
    if name in ("Normless", "Transposed"):  # else little comes out
        network.out.weight.data.mul_(4)
    if name == "Spectral":  # a few steps leave the vectors of the norm as training would
        with torch.no_grad():
            network(picture().float())
    return randomised(network)


def picture() -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2, 3, 20, 24, generator=generator, dtype=torch.float64)


CASES = [
    (name, group)
    for name, kind in TOYS.items()
    for group in (*kind.on_plan().plan, "all together")
    if group != "aside"
]


@pytest.mark.parametrize(("name", "group"), CASES)
def test_cut_computes_what_the_silenced_network_does(name, group):
    network = toy(name)
    groups = [g for g in network.plan if g != "aside"] if group == "all together" else [group]
    check_cut(network, groups, (picture(),))


@pytest.mark.parametrize("name", TOYS)
def test_folded_computes_the_same_with_plain_layers(name):
    network = toy(name)
    folded = network.folded()
    with torch.no_grad():
        expected, got = network(picture()), folded(picture())
    assert (got - expected).abs().max() <= 1e-6 * expected.abs().max()
    assert not any(isinstance(m, Scale) for m in folded.modules())
    left = [n for n, m in folded.named_modules() if isinstance(m, Norm)]
    assert left == (["late"] if name == "Spectral" else [])
    assert "gates" not in folded.structure and not folded.structure.get("spectral")
    left = " ".join(folded.state_dict())
    assert "auxiliary" not in left and "parametrizations" not in left


@pytest.mark.parametrize("name", TOYS)
def test_a_folded_network_is_built_again_and_can_still_be_cut(name):
    folded = toy(name).folded()
    again = type(folded).on_plan(folded.plan, **folded.structure).double().eval()
    again.load_state_dict(folded.state_dict())
    with torch.no_grad():
        assert torch.equal(again(picture()), folded(picture()))
    group = next(iter(folded.plan))
    assert cut(folded, {group: [0, 2]})(picture()).shape == folded(picture()).shape


def test_a_cut_leaves_no_spectral_norm_and_cuts_an_auxiliary_head_which_deployment_drops():
    small = cut(toy("Spectral"), {"a": [0, 3]})
    assert small.structure == {"spectral": False} and type(small.a.conv.weight) is nn.Parameter
    small = cut(toy("Auxiliary"), {"a": [0, 3], "aside": [1]})
    assert small.auxiliary.conv.weight.shape[:2] == (1, 2)
    assert small.folded().auxiliary is None


def test_a_layer_that_declares_no_axes_is_an_error_and_not_left_at_random():
    class Foreign(Strides):
        def __init__(self, channels):
            super().__init__(channels)
            self.scale = nn.Linear(2, 2)

    with pytest.raises(ValueError, match=r"toy: scale\.weight declares no axes"):
        cut(Foreign.on_plan(), {"a": [0]})


def test_learned_scales_are_gates_where_there_is_no_norm():
    network = toy("Normless")
    assert all(len(members) == 1 for members in gates(network).values())
    open_gates(network)
    assert (network.b.norm.weight == 0.5).all()
    assert not any(isinstance(m, Scale) for m in TOYS["Normless"].on_plan().modules())


def test_a_group_belongs_to_the_decoder_if_a_decoder_norm_writes_it():
    found = {group: part_of(members) for group, members in gates(toy("Residuals")).items()}
    assert found == {"stream": "decoder", "inner": "encoder", "deep": "encoder"}


def test_frozen_norms_keep_their_statistics_in_training_mode():
    network = toy("Strides")
    network.a.norm.frozen = True
    before = network.a.norm.running_mean.clone(), network.b.norm.running_mean.clone()
    network.train()(picture())
    assert torch.equal(network.a.norm.running_mean, before[0])
    assert not torch.equal(network.b.norm.running_mean, before[1])


def test_plans_are_checked_and_groups_declared_once():
    with pytest.raises(InputError, match="no group named 'z'; there are a, b, c"):
        Strides.on_plan({"z": 3})
    for width in (0, -1, True, 2.0):
        with pytest.raises(InputError, match="a has width"):
            Strides.on_plan({"a": width})
    channels = Channels()
    channels.fix(image=3)
    channels.conv("image", "a", 3, 8)
    with pytest.raises(ValueError, match="a is declared already"):
        channels.conv("image", "a", 3, 8)


def test_what_will_be_loaded_draws_nothing():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    network = Strides.blank()
    cut(network, {"a": [0]})
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
