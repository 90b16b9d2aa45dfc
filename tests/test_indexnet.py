"""IndexNet: the published outputs, an encoder of ImageNet's, cut as silenced in any structure."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import models
from models.errors import InputError
from models.files import saving as files
from models.files.imagenet import load_encoder
from tests.reference import SHARED, fill, needs_shared
from tests.silencing import check_cut, picture, randomised
from utils import config as configs
from utils.networks.cost import macs, parameters
from utils.networks.loading import new_network
from utils.prune import gates, scores, select
from utils.prune.gates import part_of

ORACLES = ("holistic", "holistic_linear", "m2o", "m2o_linear_context", "o2o", "o2o_linear", "unet")
PLAN = models.scaled_plan("indexnet", 1 / 8)
SMALL = picture(33, 40)
HOLISTIC = {"index": "holistic"}
LINEAR = {"nonlinear": False, "context": False}
UNET, UNPOOL = {"decoder": "unet"}, {"decoder": "unpool"}
ALL = "all together"
# Beside the default, each group that says more than all together.
OTHERS = [
    *(({"index": "o2o"}, group) for group in ("layer0", ALL)),
    *((HOLISTIC, group) for group in ("index0", "decoder1", ALL)),
    *((UNET, group) for group in ("layer6", ALL)),
    *((UNPOOL, group) for group in ("decoder6", ALL)),
    ({"nonlinear": False}, ALL),
    ({"index": "o2o"} | LINEAR, ALL),
    (HOLISTIC | LINEAR, ALL),
    ({"aspp": False}, ALL),
]


@cache
def small_indexnet(**structure) -> models.Network:
    torch.manual_seed(0)
    plan = models.scaled_plan("indexnet", 1 / 8, **structure)
    network = randomised(models.build("indexnet", plan, **structure))
    for k in range(7):
        getattr(network, f"decoder{k}").conv.weight.data.mul_(2)  # else little comes through
    network.draft.norm.bias.data.fill_(2)  # else most is cut off at zero
    return network


@needs_shared
@pytest.mark.parametrize("name", ORACLES)
def test_mattes_are_the_published_ones(name):
    folder = SHARED / "oracles" / "networks"
    about = json.loads((folder / f"indexnet_{name}.json").read_text())
    state = fill.state_dict(about["layout_of_state_dict"], about["gain"])
    network = models.published.load({key: torch.from_numpy(value) for key, value in state.items()})
    expected = np.load(folder / f"indexnet_{name}.npz")
    sizes = {"alpha": (1, 64, 96), "alpha_batch": (2, 160, 288)}
    for key in expected:
        image, trimap = fill.image("oracle", *sizes[key]), fill.trimap(*sizes[key])
        inputs = torch.from_numpy(image), torch.from_numpy(trimap).float() / 255
        with torch.no_grad():
            got = network.compute(*inputs, None).numpy()
        assert np.abs(got - expected[key]).max() / np.ptp(expected[key]) < 1e-4


@pytest.mark.parametrize(
    ("structure", "group"), [*(({}, g) for g in [*PLAN, ALL]), *OTHERS], ids=str
)
def test_cut_computes_what_the_silenced_network_does(structure, group):
    network = small_indexnet(**structure)
    check_cut(network, [*network.plan] if group == ALL else [group], SMALL)


@pytest.mark.parametrize("structure", [{}, HOLISTIC | LINEAR])
def test_folded_computes_the_same(structure):
    network = small_indexnet(**structure)
    with torch.no_grad():
        expected = network.compute(*SMALL, None)
        got = network.folded().compute(*SMALL, None)
    assert (got - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_a_narrow_index_block_has_the_channels_of_its_map():
    network = models.build("indexnet", {"layer3": 5, "layer6": 7})
    for k, width in ((3, 5), (6, 7)):
        block = getattr(network, f"index{k}")
        assert all(branch[0].conv.weight.shape[:2] == (width, width) for branch in block.branches)
    assert network.decoder4.conv.weight.shape[0] == 5  # what is upsampled by index3
    assert network.aspp.fuse.conv.weight.shape[0] == 7


def test_index_blocks_do_not_vote_and_a_group_without_a_vote_stays_whole():
    network = small_indexnet(**HOLISTIC)
    voted = gates(network)
    assert {f"index{k}" for k in (0, 2, 3, 4, 6)} == network.plan.keys() - voted.keys()
    keep = select(network, 0.25)
    assert keep.keys() == voted.keys() == scores(network).keys()
    depthwise = gates(small_indexnet())
    assert len(depthwise["layer0"]) == 3  # the stem, a depthwise convolution, decoder1


def test_parts_are_told_by_who_writes():
    parts = {group: part_of(members) for group, members in gates(small_indexnet()).items()}
    decoder = {f"layer{k}" for k in (0, 2, 3, 4)} | {"decoder0", "decoder2", "decoder6"}
    assert {group for group, part in parts.items() if part == "decoder"} == decoder


def test_the_encoder_is_torchvisions_but_for_borders_and_pooling(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.mobilenet_v2().eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.05, 0.3)
            nn.init.uniform_(module.bias, -0.3, 0.3)
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    network = models.build("indexnet").eval()
    load_encoder(network, str(tmp_path / "theirs.pth"))
    assert torch.equal(network.layer0.conv.weight[:, :3], theirs.features[0][0].weight)
    assert not network.layer0.conv.weight[:, 3:].any()
    first = 1
    for k in range(1, 8):
        layer = getattr(network, f"layer{k}")
        x = torch.rand(1, network.widths[f"layer{k - 1}"], 9, 9)
        with torch.no_grad():
            ours, expected = layer(x), theirs.features[first : first + len(layer)](x)
        inside = ours[..., 4, 4], expected[..., 4, 4]  # four blocks at most see the border
        torch.testing.assert_close(*(one / expected.std() for one in inside))
        # All but layer1 pad before they expand, which a border sees.
        assert torch.allclose(ours, expected, rtol=1e-4) == (k == 1)
        first += len(layer)


@needs_shared
def test_imagenet_weights_from_a_safetensors_file():
    network = models.build("indexnet")
    load_encoder(network, str(SHARED / "data" / "imagenet" / "mobilenet_v2.safetensors"))
    assert len(network.encoder().entries) == 255
    with pytest.raises(InputError, match="fit the encoder of indexnet at full width"):
        load_encoder(models.build("indexnet", PLAN), "any.safetensors")


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (64, 32), (40, 129)])
@pytest.mark.parametrize("structure", [{}, UNPOOL])
def test_any_size_is_matted(structure, size):
    network = models.build("indexnet", models.scaled_plan("indexnet", 1 / 8, **structure))
    with torch.no_grad():
        alpha = network.eval()(torch.rand(1, 3, *size), torch.full((1, 1, *size), 128 / 255))
    assert alpha.shape == (1, 1, *size)
    assert alpha.min() >= 0 and alpha.max() <= 1


def test_stages_have_the_widths_and_strides_they_declare():
    network = models.build("indexnet", PLAN).eval()
    with torch.no_grad():
        _, stages = network.forward_features(*network.example(1, 64, 96))
    assert list(stages) == list(network.stages)
    widths = {name: stage.activation.shape[1] for name, stage in stages.items()}
    assert widths == network.stage_widths()
    strides = [96 // stage.activation.shape[3] for stage in stages.values()]
    assert strides == [4, 8, 16, 32, 16, 16, 8, 4, 2, 2, 1]
    assert all(stage.norm.num_features == widths[name] for name, stage in stages.items())


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        ({"decoder": "bilinear"}, "decoder is 'bilinear'; give one of indexed, unpool, unet"),
        ({"index": "o2m"}, "index is 'o2m'; give one of m2o, o2o, holistic"),
        ({"index": "o2o"} | UNET, "index is 'o2o', but decoder unet has no index blocks; leave"),
        ({"context": False} | UNPOOL, "context is False, but decoder unpool has no index blocks"),
        ({"nonlinear": "no"}, "nonlinear is 'no'; give true or false"),
        ({"aspp": 1}, "aspp is 1; give true or false"),
        ({"aspp": None}, "aspp is None; give true or false"),
        ({"decoder": ["unet"]}, "decoder is"),
    ],
)
def test_a_structure_that_cannot_be_is_refused(structure, words):
    with pytest.raises(InputError, match=f"indexnet: {words}"):
        models.build("indexnet", **structure)


def test_a_plan_that_breaks_a_tie_is_refused():
    with pytest.raises(InputError, match="plan: no group named 'decoder1'; there are layer0, "):
        models.build("indexnet", {"layer0": 16, "decoder1": 24})
    assert models.build("indexnet", {"decoder1": 24}, **HOLISTIC).plan["decoder1"] == 24


def test_its_cost_is_the_published_one():
    network = models.build("indexnet")
    assert parameters(network) == 5_953_515
    assert macs(network, 224, 224) == pytest.approx(5.573e9, rel=0.001)


def test_a_checkpoint_of_another_index_kind_than_the_config_asks_for_is_refused(tmp_path):
    files.save_network(tmp_path / "m2o.tar", models.build("indexnet", PLAN))
    start = f"network.start={tmp_path / 'm2o.tar'}"
    with pytest.raises(InputError, match=r"network\.st(art|ructure)"):
        new_network(configs.load(None, [start, "network.structure.index=o2o"]), resume=False)
    assert new_network(configs.load(None, [start]), resume=False).structure["index"] == "m2o"
