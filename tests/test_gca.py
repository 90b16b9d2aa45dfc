"""GCA: the published function, cut as silenced, folded, spectral norms, any size, its path."""

from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models.layers.attention import GuidedAttention
from models.network import Network
from models.published.gca import SPECTRAL, layers
from tests.reference import fill, needs_shared
from tests.refusals import refused
from tests.scripts import main
from tests.silencing import check_cut, picture, randomised
from tests.test_dim import oracle, relative_error
from utils.cli.arguments import CONFIGS
from utils.images.reading import read_alpha
from utils.images.writing import write_image
from utils.networks.cost import macs, parameters
from utils.prune import gates, open_gates
from utils.prune.gates import part_of

PLAN = {group: max(4, width) for group, width in models.scaled_plan("gca", 1 / 16).items()}
INNER = [group for group in PLAN if "." in group or group.startswith("shortcut")]  # one writer each
TIED = [group for group in PLAN if group not in INNER]
VECTORS = 104_615  # of the spectral norms, which the published layout counts as parameters


def small_gca(spectral: bool = True) -> Network:
    """One whose matte depends on all of it."""
    torch.manual_seed(0)
    network = randomised(models.build("gca", PLAN, spectral=spectral, gates=True))
    network.matte.weight.data.mul_(10)
    for module in network.modules():
        if isinstance(module, GuidedAttention):  # else it averages the whole picture
            module.features.conv.weight.data.mul_(20)
    return network


@needs_shared
def test_alpha_is_the_published_one():
    network, expected, about = oracle("gca")
    for name, shape in (("alpha", (1, 64, 96)), ("alpha_batch", (2, 160, 288))):
        image = torch.from_numpy(fill.image("oracle", *shape))
        trimap = torch.from_numpy(fill.trimap(*shape)).float() / 255
        with torch.no_grad():
            alpha = network.compute(image, trimap, None)
        assert relative_error(alpha, expected[name]) < 1e-4
    layout = about["layout_of_state_dict"]
    learned = [k for k in layout if not k.endswith(("_mean", "_var", "_tracked"))]
    assert sum(int(np.prod(layout[k])) for k in learned) == parameters(network) + VECTORS


def test_parameters_are_the_published_ones_without_the_vectors_of_spectral_norms():
    network = models.build("gca")
    assert parameters(network) == 25_269_144 - VECTORS
    vectors = [b for name, b in network.named_buffers() if name.endswith((".u", ".v"))]
    assert sum(vector.numel() for vector in vectors) == VECTORS
    assert macs(network, 224, 224) == pytest.approx(8.038e9, rel=0.001)


@pytest.mark.parametrize("groups", [*([group] for group in TIED), INNER], ids=[*TIED, "inner"])
def test_cut_computes_what_the_silenced_network_does(groups):
    check_cut(small_gca(spectral=False), groups, picture(33, 70))


def test_cut_of_all_groups_computes_what_the_silenced_network_does_under_spectral_norm():
    check_cut(small_gca(), [*PLAN], picture())


def test_folded_computes_the_same_with_plain_weights():
    network = small_gca()
    for norms in (False, True):
        folded = network.folded(norms)
        assert folded.structure["spectral"] is False
        assert not any("parametrizations" in name for name in folded.state_dict())
        with torch.no_grad():
            expected = network.compute(*picture(), None)
            got = folded.compute(*picture(), None)
        assert (got - expected).abs().max() <= 1e-6 * expected.abs().max()


def test_every_group_has_a_gate_outside_attention_and_the_decoder_is_a_part():
    network = models.build("gca", PLAN, gates=True)
    found = gates(network)
    assert all(found.values())
    inside = [m.project.norm.weight for m in network.modules() if isinstance(m, GuidedAttention)]
    open_gates(network)
    assert len(inside) == 2 and all((weight == 1).all() for weight in inside)
    decoder = {group for group, members in found.items() if part_of(members) == "decoder"}
    blocks = {
        f"decoder{k}.{i}" for k, n in ((4, 2), (3, 3), (2, 3), (1, 2)) for i in range(1, n + 1)
    }
    assert decoder == {*blocks, *(f"decoder{k}" for k in range(5)), "attention3"}


def test_a_training_step_moves_the_vectors_of_a_spectral_norm_and_evaluation_does_not():
    torch.manual_seed(0)
    network = models.build("gca", PLAN)
    conv = network.layer3[0].first.conv
    norm, weight = conv.parametrizations.weight[0], conv.parametrizations.weight.original
    weight.data = torch.randn_like(weight)
    vectors = norm.u.clone(), norm.v.clone()
    inputs = torch.rand(2, 3, 32, 64), torch.full((2, 1, 32, 64), 128 / 255)
    with torch.no_grad():
        network.eval()(*inputs)
        assert torch.equal(norm.u, vectors[0]) and torch.equal(norm.v, vectors[1])
        network.train()(*inputs)
    matrix = weight.detach().flatten(1)
    v = torch.nn.functional.normalize(matrix.T @ vectors[0], dim=0)
    u = torch.nn.functional.normalize(matrix @ v, dim=0)
    torch.testing.assert_close((norm.u, norm.v), (u, v))
    network.eval()
    torch.testing.assert_close(conv.weight, weight / (u @ matrix @ v))
    norm.u.mul_(0.9)  # as in an averaged copy
    torch.testing.assert_close(conv.weight, weight / (u @ matrix @ v))
    network.train()
    for _ in range(50):
        conv.weight.sum()  # asks for the weight
    assert torch.linalg.matrix_norm(conv.weight.flatten(1), 2).item() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (64, 32), (40, 129)])
def test_any_size_is_matted(size):
    network = models.build("gca", PLAN).eval()
    with torch.no_grad():
        alpha = network(torch.rand(1, 3, *size), torch.full((1, 1, *size), 128 / 255))
    assert alpha.shape == (1, 1, *size)
    assert alpha.min() >= 0 and alpha.max() <= 1


def test_half_precision_gives_a_float32_matte_near_the_exact_one():
    network = small_gca().float()
    image, trimap = (one.float() for one in picture())
    with torch.no_grad():
        exact = network.compute(image, trimap, None)
        with torch.autocast("cpu", torch.bfloat16):
            alpha = network.compute(image, trimap, None)
    assert alpha.dtype == torch.float32
    assert (alpha - exact).abs().mean() < 0.05 * (exact.max() - exact.min())


def test_stages_have_the_widths_and_strides_they_declare():
    network = models.build("gca", PLAN).eval()
    with torch.no_grad():
        _, stages = network.forward_features(*network.example(1, 64, 96))
    assert list(stages) == list(network.stages)
    widths = {name: stage.activation.shape[1] for name, stage in stages.items()}
    assert widths == network.stage_widths()
    strides = {name: 96 // stage.activation.shape[3] for name, stage in stages.items()}
    encoder = {f"encoder{k}": 2**k for k in range(1, 6)}
    assert strides == encoder | {f"decoder{k}": 2**k for k in range(1, 5)}
    for name, stage in stages.items():
        assert stage.norm.num_features == widths[name]
        slope = 0.2 if name.startswith("decoder") else 0.0 if name != "encoder3" else 1.0
        expected = torch.nn.functional.leaky_relu(stage.pre, slope)
        assert torch.equal(expected, stage.activation)


def published(network: Network) -> dict[str, torch.Tensor]:
    """The weights of a network of ours under their published names."""
    state = {}
    for name, value in network.state_dict().items():
        theirs, ours = next((t, o) for t, o in layers().items() if name.startswith(f"{o}."))
        entry = name.removeprefix(f"{ours}.")
        wrapped = {ours: theirs for theirs, ours in SPECTRAL.items()}.get(entry)
        state[f"{theirs}.module.{wrapped}" if wrapped else f"{theirs}.{entry}"] = value
    return state


def test_a_file_of_the_release_is_read_at_its_widths(tmp_path):
    plan = {group: width + i % 3 for i, (group, width) in enumerate(PLAN.items())}
    network = models.build("gca", plan).eval()
    state = {f"module.{name}": value for name, value in published(network).items()}
    torch.save({"iter": 3, "state_dict": state}, tmp_path / "gca.pth")
    read = models.load(tmp_path / "gca.pth")
    assert (read.name, read.plan, read.structure) == ("gca", plan, {"spectral": True})
    assert all(torch.equal(v, read.state_dict()[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("spectral", [True, False])
def test_the_bare_state_dict_of_ours_tells_plan_and_spectral_norm(spectral):
    network = models.build("gca", PLAN, spectral=spectral).eval()
    read = models.published.load(network.state_dict())
    assert (read.name, read.plan, read.structure) == ("gca", PLAN, {"spectral": spectral})


def test_a_file_of_the_release_that_breaks_a_tie_is_refused():
    state = published(models.build("gca", PLAN))
    for number in (1, 2):
        wider = state | {f"encoder.layer{number}.2.bn2.weight": torch.zeros(77)}
        line = refused(models.published.load, wider)
        assert "looks like GCA, but does not fit it" in line and "77" in line
    assert "'encoder.layer9.0.conv1" in refused(
        models.published.load, state | {"encoder.layer9.0.conv1.module.weight_bar": torch.zeros(1)}
    )
    del state["decoder.layer3.0.upsample.1.module.weight_u"]
    assert "decoder2.0.shortcut.0.conv" in refused(models.published.load, state)


def test_plans_and_structures_that_cannot_be_are_refused():
    assert "no group named 'decoder5'" in refused(models.build, "gca", {"decoder5": 4})
    assert "layer2 has width 0" in refused(models.build, "gca", {"layer2": 0})
    assert "spectral is 'no'; give true or false" in refused(models.build, "gca", spectral="no")
    assert "no structure named 'depth'; it has spectral" in refused(models.build, "gca", depth=3)


def test_its_configs_train_prune_and_test_it(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = (
        *(f"data.root={data.parent}", f"data.dataset={data.name}", "data.crop=32"),
        *("data.backgrounds_per_foreground=1", "data.valid_backgrounds=1", "data.workers=0"),
        *("train.batch_size=2", "train.precision=bfloat16", "device=cpu", "prune.min_channels=2"),
        *(f"{section}.epochs=1" for section in ("train", "train_prune", "train_pruned")),
    )
    teach, prune = (("--config", CONFIGS / f"{name}.yaml") for name in ("gca", "prune_gca"))
    main("train.py", *teach, *sizes, "network.width=0.0625")
    main("train_prune.py", *prune, *sizes)
    main("train_pruned.py", *prune, *sizes)
    files = [Path("result", name) for name in ("gca/BEST_checkpoint.tar", "prune_gca/pruned.tar")]
    teacher, cut = map(models.load, files)
    student = models.load("result/prune_gca/BEST_pruned.tar")
    assert teacher.structure == student.structure == {"spectral": True}
    assert cut.structure == {"spectral": False} and cut.plan == student.plan
    assert sum(cut.plan.values()) < 0.6 * sum(teacher.plan.values())

    write_image("image/a.png", np.full((33, 40, 3), 90, np.uint8))
    write_image("trimap/a.png", np.repeat(np.uint8([0, 128, 255, 128]), 10)[None].repeat(33, 0))
    main("test.py", *prune, "--image", "image", "--trimap", "trimap", "--out", "out", "device=cpu")
    for name in ("teacher", "pruned"):
        assert read_alpha(next(Path("out", name).iterdir())).shape == (33, 40)
