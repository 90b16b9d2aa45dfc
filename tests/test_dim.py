"""DIM: the published function, any size, the published counts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models.errors import InputError
from models.network import Network
from tests.oracles.write import NETWORK, sample
from tests.reference import SHARED, SMALL, fill, needs_shared
from utils.networks.cost import macs, parameters

ORACLES = ("dim_segnet", "dim_segnet_pruned", "dim_spkd_student")


def oracle(
    name: str, folder: Path = SHARED / "oracles" / "networks"
) -> tuple[Network, dict[str, np.ndarray], dict]:
    about = json.loads((folder / f"{name}.json").read_text())
    state = fill.state_dict(about["layout_of_state_dict"], about["gain"])
    network = models.published.load({key: torch.from_numpy(value) for key, value in state.items()})
    return network, dict(np.load(folder / f"{name}.npz")), about


def oracle_inputs(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    image = torch.from_numpy(fill.image("oracle", 1, height, width))
    trimap = torch.from_numpy(fill.trimap(1, height, width)).float() / 255
    return image, trimap


def relative_error(got: torch.Tensor, expected: np.ndarray) -> float:
    return float(np.abs(got.numpy() - expected).max() / np.ptp(expected))


@needs_shared
@pytest.mark.parametrize("name", ORACLES)
def test_alpha_and_stages_are_the_published_ones(name):
    network, expected, _ = oracle(name)
    with torch.no_grad():
        alpha, stages = network.forward_features(*oracle_inputs(64, 96))
    assert relative_error(alpha, expected["alpha"]) < 1e-4
    first = {"dim_segnet": 2, "dim_segnet_pruned": 2, "dim_spkd_student": 1}[name]
    features = [value for key, value in sorted(expected.items()) if key.startswith("feature")]
    names = [*(f"encoder{k}" for k in range(first, 6)), *(f"decoder{k}" for k in range(5, 1, -1))]
    for stage, feature in zip(names, features, strict=False):
        assert relative_error(stages[stage].activation, feature) < 1e-4, stage


def test_alpha_and_stages_are_the_published_ones_where_they_are_sampled():
    network, expected, _ = oracle(NETWORK, SMALL)
    with torch.no_grad():
        alpha, stages = network.forward_features(*oracle_inputs(64, 96))
    stages = [stages[f"encoder{k}"].activation for k in range(2, 6)]
    for name, got in zip(
        ("alpha", *(f"feature{k}" for k in range(4))), (alpha, *stages), strict=True
    ):
        got = torch.from_numpy(sample(got.numpy()))
        assert relative_error(got, expected[name]) < 1e-4, name


@needs_shared
def test_an_odd_size_is_computed_as_published():
    network, expected, _ = oracle("dim_segnet")
    with torch.no_grad():
        alpha = network(*oracle_inputs(73, 97))
    assert relative_error(alpha, expected["alpha_odd"]) < 1e-4


@needs_shared
def test_the_published_student_keeps_its_widths_and_loses_its_adapters():
    network, _, _ = oracle("dim_segnet_pruned")
    widths = [20, 30, 50, 60, 90, 70, 100, 200, 180, 220, 190, 150, 160]
    assert list(network.plan.values()) == widths


def test_parameter_counts_are_the_published_ones():
    assert parameters(models.build("dim")) == 25_582_595
    assert parameters(models.build("dim", models.scaled_plan("dim", 0.5))) == 6_400_515
    counts = {"convolutions": [1, 1, 1, 2, 2]}
    student = models.build("dim", models.scaled_plan("dim", 0.5, **counts), **counts)
    assert parameters(student) == 4_877_283


def test_multiply_accumulates_are_the_published_ones():
    network = models.build("dim")
    assert macs(network, 224, 224) / 1e9 == pytest.approx(24.45, abs=0.01)
    assert macs(network, 320, 320) / 1e9 == pytest.approx(49.89, abs=0.01)


@pytest.fixture(scope="module")
def small() -> Network:
    torch.manual_seed(0)
    return models.build("dim", models.scaled_plan("dim", 1 / 32)).eval()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (1, 1), (7, 200), (33, 65), (101, 64)])
def test_any_size_gives_a_matte_of_that_size_in_range(small, height, width):
    with torch.no_grad():
        alpha = small(torch.rand(2, 3, height, width), torch.rand(2, 1, height, width))
    assert alpha.shape == (2, 1, height, width)
    assert alpha.min() >= 0 and alpha.max() <= 1


def test_stages_are_pooled_and_carry_their_norm(small):
    with torch.no_grad():
        _, stages = small.forward_features(torch.rand(1, 3, 64, 96), torch.rand(1, 1, 64, 96))
    assert list(stages) == [f"encoder{k}" for k in range(1, 6)] + [
        f"decoder{k}" for k in range(5, 0, -1)
    ]
    for k in range(1, 6):
        stage = stages[f"encoder{k}"]
        assert stage.activation.shape[2:] == (64 >> k, 96 >> k)
        assert torch.equal(stage.pre.relu(), stage.activation)
        assert stage.norm is getattr(small, f"encoder{k}").units[-1].norm
        assert stages[f"decoder{k}"].pre is stages[f"decoder{k}"].activation


def test_what_a_file_is_rebuilt_from_is_plain_data(small):
    again = models.build(small.name, json.loads(json.dumps(small.plan)), **small.structure)
    assert again.plan == small.plan and again.structure == small.structure
    again.load_state_dict(small.state_dict())


def test_bfloat16_autocast_gives_a_float32_matte_near_the_exact_one(small):
    inputs = torch.rand(1, 3, 64, 64), torch.full((1, 1, 64, 64), 128 / 255)
    with torch.no_grad():
        exact = small(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            alpha = small(*inputs)
    assert alpha.dtype == torch.float32
    assert (alpha - exact).abs().max() < 0.05


def test_half_precision_does_not_make_neighbours_equal_before_pooling():
    torch.manual_seed(0)
    block = models.build("dim", models.scaled_plan("dim", 1 / 4)).eval().encoder1
    coarse = torch.nn.functional.interpolate(torch.rand(1, 4, 6, 6), size=(96, 96), mode="bicubic")

    def ties(values: torch.Tensor) -> int:
        """How many 2x2 windows hold their maximum twice."""
        windows = torch.nn.functional.unfold(values.transpose(0, 1).float(), 2, stride=2)
        first, second = windows.topk(2, dim=1).values.unbind(1)
        return int((first == second).sum())

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        pre = block(coarse)
        x = coarse
        for unit in block.units[:-1]:
            x = torch.relu(unit(x))
        naive = block.units[-1](x)
    assert pre.dtype == torch.float32 and naive.dtype == torch.bfloat16
    assert ties(naive) > 100
    assert ties(pre) < ties(naive) / 10


@pytest.mark.parametrize(
    ("plan", "structure", "words"),
    [
        ({"encoder1.3": 4}, {}, "no group named 'encoder1.3'"),
        ({"encoder1.1": 0}, {}, "encoder1.1 has width 0"),
        ({"encoder1.1": 4.0}, {}, "encoder1.1 has width 4.0"),
        (None, {"convolutions": [2, 2, 3, 3]}, "five whole numbers"),
        (None, {"convolutions": [0, 2, 3, 3, 3]}, "five whole numbers"),
        (None, {"convolutions": 5}, "convolutions is 5; give five whole numbers"),
        (None, {"folded": 5}, "folded is 5; give true or false"),
        (None, {"depth": 3}, "no structure named 'depth'"),
    ],
)
def test_an_impossible_network_is_refused_in_one_line(plan, structure, words):
    with pytest.raises(InputError, match=words) as caught:
        models.build("dim", plan, **structure)
    assert "\n" not in str(caught.value)


def test_an_unknown_network_names_the_known_ones():
    with pytest.raises(InputError, match="'unet'; there are dim"):
        models.build("unet")
