"""DIM without BatchNorm: the published function, skips that tie, scales that fold, any size."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

import models
from models.channels import Scale
from models.errors import InputError
from models.files.imagenet import load_encoder
from models.published.dim_vgg import LAYERS
from tests.inference import CPU, noisy_picture, whole
from tests.reference import SHARED, fill, needs_shared
from tests.silencing import check_cut, picture, randomised
from tests.test_dim import oracle_inputs, relative_error
from utils.infer.inference import Inference
from utils.networks.cost import macs, parameters
from utils.prune import gates, open_gates
from utils.prune.gates import part_of

NAME = "dim_vgg"
NETWORKS = SHARED / "oracles" / "networks"
PLAN = models.scaled_plan(NAME, 1 / 16)
NO_SKIPS = "conv6_1 is 1x1: a file from before September 2019, of a network without skips"


def small(gates: bool = True, **structure) -> models.Network:
    """With random scales and a refinement that matters."""
    torch.manual_seed(0)
    plan = models.scaled_plan(NAME, 1 / 16, **structure)
    network = randomised(models.build(NAME, plan, gates=gates, **structure))
    for name, parameter in network.named_parameters():
        if name.endswith("conv.bias"):
            nn.init.uniform_(parameter, -0.3, 0.3)
    if network.structure["refine"]:
        nn.init.kaiming_normal_(network.refined.weight)
    return network


def published(**structure) -> dict[str, torch.Tensor]:
    """The state dict that the release would save of a small network."""
    torch.manual_seed(0)
    ours = models.build(NAME, models.scaled_plan(NAME, 1 / 16, **structure), **structure)
    ours = ours.state_dict()
    return {
        f"{theirs}.{entry}": ours[f"{layer}.{entry}"]
        for theirs, layer in LAYERS.items()
        for entry in ("weight", "bias")
        if f"{layer}.{entry}" in ours
    }


@needs_shared
def test_the_matte_is_the_published_one_before_and_after_its_refinement():
    about = json.loads((NETWORKS / "dim_vgg_refine.json").read_text())
    expected = np.load(NETWORKS / "dim_vgg_refine.npz")
    filled = fill.state_dict(about["layout_of_state_dict"], about["gain"])
    state = {name: torch.from_numpy(value) for name, value in filled.items()}
    coarse = {name: value for name, value in state.items() if not name.startswith("refine")}
    for weights, output in ((state, "refined"), (coarse, "coarse")):
        network = models.published.load(weights)
        assert network.structure == {"refine": output == "refined", "wide": False}
        with torch.no_grad():
            alpha = network.compute(*oracle_inputs(64, 96), None)
        assert relative_error(alpha, expected[output]) < 1e-4


@pytest.mark.parametrize("group", [*PLAN, "all together"])
def test_cut_computes_what_the_silenced_network_does(group):
    check_cut(small(), [*PLAN] if group == "all together" else [group], picture())


def test_scales_fold_into_the_same_function():
    network = small()
    assert any(isinstance(module, Scale) for module in network.modules())
    with torch.no_grad():
        expected = network.compute(*picture(), None)
        folded = network.folded()
        got = folded.compute(*picture(), None)
    assert (got - expected).abs().max() <= 1e-6 * expected.abs().max()
    assert not any(isinstance(module, Scale) for module in folded.modules())
    assert folded.state_dict().keys() == small(gates=False).state_dict().keys()


def test_each_level_is_one_group_with_gates_in_encoder_and_decoder():
    found = {group: [g.part for g in members] for group, members in gates(small()).items()}
    levels = ("encoder1.2", "encoder2.2", "encoder3.3", "encoder4.3", "encoder5.3")
    assert {group for group, parts in found.items() if parts == ["encoder", "decoder"]} == {*levels}
    alone = {"decoder1", "refinement.1", "refinement.2", "refinement.3"}
    assert {group for group, parts in found.items() if parts == ["decoder"]} == alone
    assert all(part_of(gates(small())[group]) == "decoder" for group in levels)
    network = small()
    open_gates(network)
    assert all((g.scale == 0.5).all() for members in gates(network).values() for g in members)


def test_a_new_refinement_changes_nothing_yet():
    torch.manual_seed(0)
    network = models.build(NAME, PLAN)
    coarse = models.build(NAME, models.scaled_plan(NAME, 1 / 16, refine=False), refine=False)
    kept = {k: v for k, v in network.state_dict().items() if k in coarse.state_dict()}
    coarse.load_state_dict(kept)
    inputs = oracle_inputs(40, 70)
    with torch.no_grad():
        assert torch.equal(network(*inputs), coarse(*inputs))


def test_maps_keep_their_size_without_norms():
    torch.manual_seed(0)
    network = models.build(NAME, models.scaled_plan(NAME, 1 / 4))
    with torch.no_grad():
        _, stages = network.forward_features(*oracle_inputs(64, 96))
    sizes = [stage.activation.square().mean().sqrt().item() for stage in stages.values()]
    assert min(sizes) > 0.1 and max(sizes) < 30


@pytest.mark.parametrize("refine", [True, False])
def test_the_radius_is_how_far_the_matte_sees(refine):
    network = models.build(NAME, models.scaled_plan(NAME, 1 / 64, refine=refine), refine=refine)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.1, 0.2)  # nothing dies on the way
    side = 2 * -(-network.radius // 32) * 32 + 32
    image, trimap = network.example(1, side, side)
    image = torch.rand_like(image).requires_grad_()
    start = side // 2 - 16
    network.matte.register_forward_pre_hook(lambda _, args: (args[0] / args[0].mean().detach(),))
    cell = network.compute(image, trimap, None)[..., start : start + 32, start : start + 32]
    cell.sum().backward()
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()
    reach = max(start - rows.min().item(), rows.max().item() - (start + 31))
    # Only maxima are seen, and the farthest of them may lie at the near end of its windows.
    assert network.radius - 62 <= reach <= network.radius


def test_tiles_equal_the_whole_picture_also_where_it_is_padded():
    network = small(gates=False).float()
    image, trimap = noisy_picture(1, 45, 4001), np.full((45, 4001), 128, np.uint8)
    options = Inference("tile", halo="full", tile=480)
    assert len(options.tiles(network, trimap == 128)) >= 2
    exact = whole(network, image, trimap)
    assert np.ptp(exact) > 0.2
    assert np.abs(options.alpha(network, image, trimap, CPU) - exact).max() < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (64, 32), (40, 129)])
def test_any_size_is_matted(size):
    network = models.build(NAME, PLAN).eval()
    with torch.no_grad():
        alpha = network(torch.rand(1, 3, *size), torch.full((1, 1, *size), 128 / 255))
    assert alpha.shape == (1, 1, *size)
    assert alpha.min() >= 0 and alpha.max() <= 1


def test_stages_have_the_widths_and_strides_they_declare():
    network = models.build(NAME, PLAN).eval()
    with torch.no_grad():
        _, stages = network.forward_features(*oracle_inputs(64, 96))
    assert list(stages) == list(network.stages)
    widths = {name: stage.activation.shape[1] for name, stage in stages.items()}
    assert widths == network.stage_widths()
    strides = {name: 96 // stage.activation.shape[3] for name, stage in stages.items()}
    encoder = {f"encoder{k}": 2**k for k in range(1, 6)}
    assert strides == encoder | {f"decoder{k}": 2 ** (k - 1) for k in range(1, 6)}
    assert all(torch.equal(stage.pre.relu(), stage.activation) for stage in stages.values())


def test_bfloat16_autocast_gives_a_float32_matte_near_the_exact_one():
    network = small(gates=False).float()
    inputs = oracle_inputs(64, 96)
    with torch.no_grad():
        exact = network(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            alpha = network(*inputs)
    assert alpha.dtype == torch.float32
    assert (alpha - exact).abs().mean() < 0.02


def test_the_encoder_is_torchvisions_vgg16_and_ignores_the_trimap_at_first(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    vgg = torchvision.models.vgg
    torch.manual_seed(0)
    features = vgg.make_layers(vgg.cfgs["D"])
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    torch.save(state, tmp_path / "vgg16.pth")
    network = models.build(NAME).eval()
    load_encoder(network, str(tmp_path / "vgg16.pth"))
    image, trimap = oracle_inputs(32, 64)
    with torch.no_grad():
        _, stages = network.forward_features(image, trimap)
        expected = features(network.normalise(image))
    torch.testing.assert_close(stages["encoder5"].activation, expected)
    assert not network.encoder1.units[0].conv.weight[:, 3].any()


def test_the_wide_conv6_is_the_classifiers_first_layer(tmp_path, monkeypatch):
    monkeypatch.setattr("models.dim_vgg.WIDE", (6, 7))
    torch.manual_seed(0)
    network = models.build(NAME, refine=False, wide=True)
    entries, ours = network.encoder().entries, network.state_dict()
    state = {name: torch.rand_like(ours[entry]) for entry, name in entries.items()}
    state["features.0.weight"] = torch.rand(64, 3, 3, 3)
    state["classifier.0.weight"] = state["classifier.0.weight"].flatten(1)
    torch.save(state, tmp_path / "vgg16.pth")
    load_encoder(network, str(tmp_path / "vgg16.pth"))
    assert torch.equal(network.encoder6.conv.weight.flatten(1), state["classifier.0.weight"])


def test_costs_are_those_of_the_layers():
    assert parameters(models.build(NAME)) == 28_373_954
    with torch.device("meta"):
        coarse = models.build(NAME, refine=False)
        wide = models.build(NAME, refine=False, wide=True)
    assert parameters(coarse) == 28_373_954 - 76_801
    # IndexNet's re-implementation counts 130.55 M with the 8,448 of its encoder's BatchNorms.
    assert parameters(wide) + 8_448 == pytest.approx(130.55e6, abs=0.01e6)
    assert macs(coarse, 224, 224) == pytest.approx(29.71e9, rel=0.001)


@pytest.mark.parametrize("structure", [{}, {"refine": False}])
def test_a_published_file_keeps_its_widths_and_its_function(tmp_path, structure):
    torch.save({"epoch": 3, "state_dict": published(**structure)}, tmp_path / "stage.pth")
    network = models.load(tmp_path / "stage.pth")
    torch.manual_seed(0)
    wanted = models.build(NAME, models.scaled_plan(NAME, 1 / 16, **structure), **structure)
    assert network.structure == wanted.structure and network.plan == wanted.plan
    assert all(torch.equal(network.state_dict()[k], v) for k, v in wanted.state_dict().items())
    torch.save(network.state_dict(), tmp_path / "bare.pth")
    assert models.load(tmp_path / "bare.pth").structure == wanted.structure


@pytest.mark.parametrize(
    ("entry", "shape", "words"),
    [
        ("conv6_1.weight", (32, 32, 1, 1), NO_SKIPS),
        ("deconv4_1.weight", (9, 32, 5, 5), r"\(encoder4\.3|decoder4\.conv\.weight is \("),
        ("conv7_1.weight", (4, 4, 3, 3), r"has an entry 'conv7_1\.weight'"),
    ],
)
def test_a_file_of_another_network_is_refused_in_one_line(entry, shape, words):
    state = published() | {entry: torch.zeros(shape)}
    with pytest.raises(InputError, match=words) as caught:
        models.published.load(state)
    assert "\n" not in str(caught.value) and "looks like DIM without BatchNorm" in str(caught.value)


@pytest.mark.parametrize(
    ("plan", "structure", "words"),
    [
        ({"decoder4": 8}, {}, "plan: no group named 'decoder4'; there are encoder1.1"),
        ({"refinement.1": 8}, {"refine": False}, "no group named 'refinement.1'"),
        (None, {"refine": 1}, "dim_vgg: refine is 1; give true or false"),
        (None, {"wide": "yes"}, "dim_vgg: wide is 'yes'; give true or false"),
        (None, {"skips": False}, "no structure named 'skips'; it has refine, wide"),
    ],
)
def test_an_impossible_network_is_refused_in_one_line(plan, structure, words):
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        models.build(NAME, plan, **structure)
    assert "\n" not in str(caught.value)
