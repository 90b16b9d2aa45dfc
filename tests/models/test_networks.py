"""What holds of every network: published outputs, cut as silenced, folded, any size, its costs."""

import functools
import itertools
import json

import numpy as np
import pytest
import torch
from torch import Tensor

import models
from models.network import Network, pad_to_multiple
from models.registry import NETWORKS
from tests.models.small import MATTING, SHALLOW, small, small_plan
from tests.reference import SHARED, SMALL, fill, sample
from tests.refusals import refused
from tests.silencing import check_cut, picture
from utils.networks.cost import macs, parameters
from utils.prune import gates
from utils.prune.gates import part_of

# --- published outputs ----------------------------------------------------------------------------

FULL = SHARED / "oracles" / "networks"
ORACLES = {path.stem for folder in (FULL, SMALL) for path in folder.glob("*.npz")}
SIZES_OF = {"alpha_batch": (2, 160, 288), "alpha_odd": (1, 73, 97), "logits": (1, 73, 97)}


def output(network: Network, key: str, features: list[str]) -> Tensor:
    """What an oracle calls `key`, of a network with its weights."""
    size = SIZES_OF.get(key, (1, 64, 96))
    inputs = [torch.from_numpy(fill.image("oracle", *size))]
    if network.task == "matting":
        inputs.append(torch.from_numpy(fill.trimap(*size)).float() / 255)
    if key == "coarse":
        whole, network = network, models.build("dim_vgg", refine=False).eval()
        network.load_state_dict(whole.state_dict(), strict=False)
    with torch.no_grad():
        alpha, stages = network.forward_features(*inputs)
    if key not in features:
        return alpha
    # From the second stage on, but of SPKD's student all of them.
    names = [*(f"encoder{k}" for k in range(1, 6)), *(f"decoder{k}" for k in (5, 4, 3, 2))]
    first = 0 if network.structure["convolutions"] == [1, 1, 1, 2, 2] else 1
    return stages[names[first + features.index(key)]].activation


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_outputs_are_the_published_ones(name):
    folders = [folder for folder in (FULL, SMALL) if (folder / f"{name}.npz").is_file()]
    about = json.loads((folders[0] / f"{name}.json").read_text())
    state = fill.state_dict(about["layout_of_state_dict"], about["gain"])
    network = models.published.load({key: torch.from_numpy(value) for key, value in state.items()})
    if name != "dim_segnet_pruned":
        width = 0.5 if name == "dim_spkd_student" else 1
        assert network.plan == models.scaled_plan(network.name, width, **network.structure)
    expected = [dict(np.load(folder / f"{name}.npz")) for folder in folders]
    features = sorted(key for key in expected[0] if key.startswith("feature"))
    for key in expected[0]:
        got = output(network, key, features).numpy()
        for folder, values in zip(folders, expected, strict=True):
            found = sample(got) if folder == SMALL else got
            assert np.abs(found - values[key]).max() / np.ptp(values[key]) < 1e-4, key


# --- cut as silenced ------------------------------------------------------------------------------

ALL = "all together"
HOLISTIC, O2O = {"index": "holistic"}, {"index": "o2o"}
LINEAR = {"nonlinear": False, "context": False}
UNET, UNPOOL = {"decoder": "unet"}, {"decoder": "unpool"}
GCA = [g for g in small_plan("gca") if "." not in g and not g.startswith("shortcut")]
CUTS = [
    *(("dim_vgg", {}, group) for group in [*small_plan("dim_vgg"), ALL]),
    *(("gca", {"spectral": False}, group) for group in [*GCA, "inner"]),
    ("gca", {}, ALL),  # under spectral norm
    *(("indexnet", {}, group) for group in [*small_plan("indexnet"), ALL]),
    # Of the others each group that says more than all together.
    *(("indexnet", one, ALL) for one in (O2O, HOLISTIC, UNET, UNPOOL, O2O | LINEAR)),
    ("indexnet", HOLISTIC | LINEAR | {"aspp": False}, ALL),
    *(("indexnet", HOLISTIC, group) for group in ("index0", "decoder1")),
    *(("indexnet", O2O, "layer0"), ("indexnet", UNET, "layer6"), ("indexnet", UNPOOL, "decoder6")),
    *(("mobile_unet", {}, group) for group in [*small_plan("mobile_unet"), ALL]),
    ("mobile_unet", {"guess": True}, "layer0"),
    *(("pspnet", {}, group) for group in [*small_plan("pspnet"), ALL] if group != "auxiliary"),
]


@functools.cache  # which no cut changes
def with_gates(name: str, structure: tuple) -> Network:
    return small(name, gates=name in ("dim_vgg", "gca"), **dict(structure))


@pytest.mark.parametrize(("name", "structure", "group"), CUTS)
def test_cut_computes_what_the_silenced_network_does(name, structure, group):
    network = with_gates(name, tuple(structure.items()))
    inner = [one for one in network.plan if name == "gca" and one not in GCA]
    groups = {ALL: [*network.plan], "inner": inner}.get(group, [group])
    inputs = picture(33, 40) if name == "indexnet" else picture(33, 70)
    if name in ("mobile_unet", "pspnet", "dim_vgg"):
        inputs = picture()
    check_cut(network, groups, inputs[:1] if name == "pspnet" else inputs)


@pytest.mark.parametrize("norms", [True, False])
@pytest.mark.parametrize(
    ("name", "structure"), [*((name, {}) for name in NETWORKS), ("indexnet", HOLISTIC | LINEAR)]
)
def test_folded_computes_the_same_with_plain_layers(name, structure, norms):
    network = small(name, gates=name in ("dim_vgg", "gca"), **structure)
    inputs = picture()[:1] if network.task == "segmentation" else picture()
    folded = network.folded(norms)
    with torch.no_grad():
        expected, got = network.compute(*inputs, None), folded.compute(*inputs, None)
    assert (got - expected).abs().max() <= 1e-6 * expected.abs().max()
    again = models.build(name, json.loads(json.dumps(folded.plan)), **folded.structure)
    assert again.state_dict().keys() == folded.state_dict().keys()


# --- any size, any type ---------------------------------------------------------------------------

SIZES = [(1, 1), (16, 48), (31, 33), (40, 129)]  # 16: half of the stride


@pytest.mark.parametrize(
    ("name", "structure"), [*((name, {}) for name in MATTING), ("indexnet", UNPOOL)]
)
def test_any_size_gives_a_matte_of_that_size_in_range(name, structure):
    network = models.build(name, small_plan(name, **structure), **structure).eval()
    for size in SIZES:
        with torch.no_grad():
            alpha = network(torch.rand(2, 3, *size), torch.full((2, 1, *size), 128 / 255))
        assert alpha.shape == (2, 1, *size)
        assert alpha.min() >= 0 and alpha.max() <= 1


@pytest.mark.parametrize("side", [1, 15, 16, 17, 31, 32])
def test_a_side_is_reflected_to_the_stride_or_repeated_where_it_is_too_short(side):
    row = torch.arange(float(side)).expand(1, 1, 32, side)
    padded = pad_to_multiple(row, 32)[0, 0, 0].tolist()
    inner = [*map(float, range(side))]
    reflected = [*inner, *reversed(inner[:-1])][:32]
    assert padded == (reflected if side >= 17 else inner + [inner[-1]] * (32 - side))
    assert torch.equal(pad_to_multiple(row.mT, 32), pad_to_multiple(row, 32).mT)


@pytest.mark.parametrize("name", MATTING)
def test_bfloat16_gives_a_float32_matte_near_the_exact_one(name):
    network = small(name).float()
    inputs = [one.float() for one in picture(64, 96)]
    with torch.no_grad():
        exact = network.compute(*inputs, None)
        with torch.autocast("cpu", torch.bfloat16):
            alpha = network.compute(*inputs, None)
    assert alpha.dtype == torch.float32
    assert (alpha - exact).abs().mean() < 0.1 * (exact.max() - exact.min())


# --- stages, parts, costs -------------------------------------------------------------------------

ENCODER = {f"encoder{k}": 2**k for k in range(1, 6)}
SEGNET = ENCODER | {f"decoder{k}": 2 ** (k - 1) for k in (5, 4, 3, 2, 1)}
STRIDES = {
    "dim": SEGNET,
    "dim_vgg": SEGNET,
    "gca": ENCODER | {f"decoder{k}": 2**k for k in (4, 3, 2, 1)},
    "indexnet": dict(
        zip(
            [f"encoder{k}" for k in range(2, 6)] + [f"decoder{k}" for k in range(6, -1, -1)],
            (4, 8, 16, 32, 16, 16, 8, 4, 2, 2, 1),
            strict=True,
        )
    ),
    "mobile_unet": ENCODER | {f"decoder{k}": 2**k for k in (4, 3, 2, 1)},
    "pspnet": {"layer2": 8, "layer3": 8, "layer4": 8},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_stages_have_the_widths_strides_and_norms_they_declare(name):
    network = small(name)
    more = int(name == "pspnet")  # which pads to 8k + 1
    image, trimap = picture(64 + more, 96 + more)
    with torch.no_grad():
        _, stages = network.forward_features(*((image,) if name == "pspnet" else (image, trimap)))
    assert list(stages) == list(network.stages) == list(STRIDES[name])
    for stage, (pre, activation, norm) in stages.items():
        width, stride = network.stage_widths()[stage], STRIDES[name][stage]
        assert activation.shape == (len(image), width, 64 // stride + more, 96 // stride + more)
        assert pre.shape == activation.shape
        assert norm is None if name == "dim_vgg" else norm.num_features == width
        linear = torch.equal(pre, activation)
        slope = 0.2 if name == "gca" and stage.startswith("decoder") else 0
        top = 6 if name == "indexnet" else np.inf
        activated = torch.nn.functional.leaky_relu(pre, slope).clamp_max(top)
        assert linear or torch.equal(activated, activation)


COSTS = [  # parameters and MACs at 224 as published, where they are
    ("dim", 1, {}, 25_582_595, 24.45e9),
    ("dim", 0.5, {}, 6_400_515, None),
    ("dim", 0.5, {"convolutions": [1, 1, 1, 2, 2]}, 4_877_283, None),
    ("dim_vgg", 1, {}, 28_373_954, None),
    ("dim_vgg", 1, {"refine": False}, 28_373_954 - 76_801, 29.71e9),
    # IndexNet's re-implementation counts 130.55 M with the 8,448 of its encoder's BatchNorms.
    ("dim_vgg", 1, {"refine": False, "wide": True}, 130_536_897, None),
    ("gca", 1, {}, 25_269_144 - 104_615, 8.038e9),  # without the vectors of spectral norms
    ("indexnet", 1, {}, 5_953_515, 5.573e9),
    ("mobile_unet", 1, {}, 2_153_549, 0.652e9),
    ("pspnet", 1, {}, 46_716_373, None),  # without the auxiliary head
]


@pytest.mark.parametrize(("name", "width", "structure", "count", "multiplied"), COSTS)
def test_costs_are_the_published_ones(name, width, structure, count, multiplied):
    with torch.device("meta"):
        network = models.build(name, models.scaled_plan(name, width, **structure), **structure)
    assert parameters(network) == count
    if multiplied:
        assert macs(network, 224, 224) == pytest.approx(multiplied, rel=0.001)


def test_holistic_index_blocks_are_twice_as_wide_as_their_maps():
    full = models.scaled_plan("indexnet", 1, **HOLISTIC)
    assert all(full[f"index{k}"] == 2 * full[f"layer{k}"] for k in (0, 2, 3, 4, 6))


DECODERS = {  # the groups that a decoder's norm writes
    "dim_vgg": {
        *("encoder1.2", "encoder2.2", "encoder3.3", "encoder4.3", "encoder5.3", "decoder1"),
        *(f"refinement.{i}" for i in (1, 2, 3)),
    },
    "gca": {
        *(f"decoder{k}.{i}" for k, n in ((4, 2), (3, 3), (2, 3), (1, 2)) for i in range(1, n + 1)),
        *(f"decoder{k}" for k in range(5)),
        "attention3",
    },
    "indexnet": {*(f"layer{k}" for k in (0, 2, 3, 4)), "decoder0", "decoder2", "decoder6"},
    "mobile_unet": {
        *("context", "decoder4.1", "decoder4", "decoder3.1", "decoder3", "decoder2"),
        *("decoder1", "detail"),
    },
    "pspnet": {"pyramid1", "pyramid2", "pyramid3", "pyramid6", "fuse", "auxiliary"},
}


@pytest.mark.parametrize("name", DECODERS)
def test_every_group_has_a_gate_and_a_part(name):
    network = small(name, gates=True)
    members = gates(network)
    assert members.keys() == network.plan.keys() and all(members.values())
    parts = {group: part_of(gate) for group, gate in members.items()}
    assert {group for group, part in parts.items() if part == "decoder"} == DECODERS[name]


# --- what cannot be -------------------------------------------------------------------------------

IMPOSSIBLE = [
    ("unet", None, {}, "no network named 'unet'; there are dim"),
    ("dim", {"encoder1.3": 4}, {}, "no group named 'encoder1.3'"),
    ("dim", None, {"convolutions": [0, 2, 3, 3, 3]}, "give 5 whole numbers from 1"),
    ("dim", None, {"folded": 5}, "folded is 5; give true or false"),
    ("dim", None, {"depth": 3}, "no structure named 'depth'; it has convolutions"),
    ("dim_vgg", {"decoder4": 8}, {}, "plan: no group named 'decoder4'; there are encoder1.1"),
    ("dim_vgg", {"refinement.1": 8}, {"refine": False}, "no group named 'refinement.1'"),
    ("indexnet", None, {"decoder": "bilinear"}, "decoder is 'bilinear'; give one of indexed, un"),
    ("indexnet", None, {"index": "o2m"}, "index is 'o2m'; give one of m2o, o2o, holistic"),
    ("indexnet", None, O2O | UNET, "index is 'o2o', but decoder unet has no index blocks; leave"),
    ("indexnet", None, {"context": False} | UNPOOL, "context is False, but decoder unpool has no"),
    *(("mobile_unet", None, {"decoder": v}, "give a number above 0") for v in (0, True)),
    *(("pspnet", None, {"classes": v}, "give a whole number from 2 to 255") for v in (1, True)),
    ("pspnet", None, {"blocks": [3, 4, 6]}, "blocks is [3, 4, 6]; give 4 whole numbers"),
]


@pytest.mark.parametrize(("name", "plan", "structure", "words"), IMPOSSIBLE)
def test_an_impossible_network_is_refused_in_one_line(name, plan, structure, words):
    assert words in refused(models.build, name, plan, **structure)


def test_plan_and_structure_are_plain_data_that_make_the_network_again():
    for name, gates_ in itertools.product(NETWORKS, (False, True)):
        network = small(name, gates_)
        plan, structure = json.loads(json.dumps([network.plan, network.structure]))
        again = models.build(name, plan, **structure)
        assert (again.plan, again.structure) == (network.plan, network.structure)
        assert structure.items() >= SHALLOW.get(name, {}).items()
        again.load_state_dict(network.state_dict())
