"""A deployed copy computes the same, and is what is timed and matted with."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import models
from tests.sets import write_test_set
from tests.silencing import randomised
from utils.infer.inference import Inference
from utils.networks import cost
from utils.networks.device import deployed
from utils.score.matting import run_networks
from utils.score.scoring import Scoring
from utils.score.sets import match

CPU = torch.device("cpu")


def network(name: str) -> models.Network:
    torch.manual_seed(0)
    made = models.build(name, models.scaled_plan(name, 1 / 16))
    return randomised(made).float()


@pytest.mark.parametrize("name", ["mobile_unet", "gca", "indexnet"])
def test_a_deployed_copy_computes_the_same_and_leaves_the_network(name):
    original = network(name).train()
    before = {key: value.clone() for key, value in original.state_dict().items()}
    copied = deployed(original, CPU)
    assert original.training and not copied.training
    image, trimap = torch.rand(1, 3, 64, 96), torch.full((1, 1, 64, 96), 128 / 255)
    with torch.no_grad():
        expected = original.eval().compute(image, trimap, None)
        got = copied.compute(image, trimap, None)
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()
    after = original.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert "folded" in copied.structure and "folded" not in original.structure
    weights = [one.weight for one in copied.modules() if isinstance(one, torch.nn.Conv2d)]
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in weights)


@pytest.mark.parametrize("name", models.NETWORKS)
def test_macs_of_any_widths_are_those_that_pytorch_counts(name):
    with torch.device("meta"), torch.no_grad():
        full, narrow = models.blank(name), models.blank(name, models.scaled_plan(name, 1 / 16))
        with FlopCounterMode(display=False) as counter:
            narrow.eval()(*narrow.example(1, 70, 96))
    assert cost.macs(full, 70, 96, narrow.plan) == cost.macs(narrow, 70, 96)
    assert 2 * cost.macs(narrow, 70, 96) == counter.get_total_flops()


def test_a_test_times_and_mattes_with_the_deployed_and_counts_the_network(
    tmp_path, monkeypatch, costless
):
    folders = write_test_set(tmp_path)
    pictures = match(folders["image"], folders["alpha"], folders["trimap"])[:1]
    used = []
    monkeypatch.setattr(cost, "milliseconds", lambda networks, _: used.extend(networks) or [1.0])
    monkeypatch.setattr(
        Inference, "matte", lambda self, net, _, trimap, device: used.append(net) or trimap
    )
    original = network("mobile_unet").eval()
    (scores,) = run_networks(
        {"n": original}, {"": pictures}, CPU, Inference("whole"), tmp_path / "out", Scoring(0)
    )
    assert len(used) == 2 and used[0] is used[1] and used[0].structure["folded"]
    assert scores.about["parameters"] == cost.parameters(original)
