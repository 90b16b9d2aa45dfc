"""Weights are found whatever a file wraps them in, and whatever stands before their names."""

import itertools

import pytest
import torch

import models
from models.files.saving import save_network
from tests.reference import SHARED, needs_shared
from tests.refusals import refused
from tests.trainings import TINY

PREFIXES = [
    "".join(parts)
    for count in (1, 2, 3)
    for parts in itertools.permutations(("module.", "_orig_mod.", "net."), count)
]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    structure = {"convolutions": [1, 2, 1, 1, 2]}
    plan = models.scaled_plan("dim", TINY, **structure) | {"encoder2.1": 5}
    return models.build("dim", plan, **structure).eval()


def same(one, other) -> bool:
    state = other.state_dict()
    return one.plan == other.plan and all(
        torch.equal(value, state[name]) for name, value in one.state_dict().items()
    )


@pytest.mark.parametrize("prefix", ["", *PREFIXES, "module.module.", "_orig_mod.model.network."])
def test_what_stands_before_all_names_is_dropped(network, prefix):
    state = {prefix + name: value for name, value in network.state_dict().items()}
    assert same(models.published.load(state), network)


def test_the_counter_of_an_averaged_model_is_no_weight(network):
    averaged = torch.optim.swa_utils.AveragedModel(network)
    assert same(models.published.load(averaged.state_dict()), network)


def test_a_part_that_was_compiled_has_its_own_names(network):
    state = {
        name.replace("encoder1.", "encoder1._orig_mod."): value
        for name, value in network.state_dict().items()
    }
    assert same(models.published.load(state), network)


@pytest.mark.parametrize("keys", [("model_state_dict",), ("net",), ("net", "state_dict"),
                                  ("state_dict", "model"), ("model", "network")])  # fmt: skip
def test_wrappers_are_opened_in_any_order(network, tmp_path, keys):
    content = network.state_dict()
    for key in keys:
        content = {"epoch": 3, "model": "its name", key: content}
    torch.save(content, tmp_path / "wrapped.pth")
    assert same(models.load(tmp_path / "wrapped.pth"), network)


def test_the_bare_state_dict_of_a_network_of_ours_tells_its_plan(tmp_path):
    torch.manual_seed(0)
    full = models.build("mobile_unet")
    plan = {group: max(2, width // 4) for group, width in full.plan.items()}
    network = models.build("mobile_unet", plan).eval()
    torch.save(network.state_dict(), tmp_path / "bare.pth")
    assert same(models.load(tmp_path / "bare.pth"), network)
    save_network(tmp_path / "whole.tar", network)
    assert same(models.load(tmp_path / "whole.tar"), network)


def test_what_is_missing_from_a_bare_state_dict_is_named(network):
    state = network.state_dict()
    del state["decoder3.conv.weight"]
    told = refused(models.published.load, state)
    assert "looks like a network of ours" in told and "decoder3.conv.weight" in told


def test_a_file_that_holds_itself_comes_to_an_end():
    content = {"epoch": 1}
    content["net"] = content
    assert "no weights" in refused(models.published.load, content)


@needs_shared
@pytest.mark.parametrize("name", ["compiled", "ddp_compiled"])
def test_reported_checkpoints_load(name):
    path = SHARED / "reports" / "compiled-checkpoint" / f"{name}.pth"
    assert models.load(path).name == "dim"
