"""Optimisers: rates by parameter group, clipping, frozen norms, the averaged copy."""

import copy

import pytest
import torch
from torch import nn

import models
from models.channels import Norm
from models.errors import InputError
from tests.trainings import tiny_config, tiny_network, tiny_training
from utils.config.options import TrainConfig
from utils.prune import Sparsity
from utils.train.optimizer import (
    clip_gradients,
    freeze,
    freeze_norms,
    make_optimizer,
    restore_optimizer,
    set_rate,
)


def small_unet():
    torch.manual_seed(0)
    return models.build("mobile_unet", models.scaled_plan("mobile_unet", 1 / 8))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)],
)
def test_each_optimiser_takes_its_options(name, kind):
    network = small_unet()
    options = TrainConfig(optimizer=name, betas=(0.5, 0.9), momentum=0.7, weight_decay=0.2)
    optimizer = make_optimizer(network, network, options)
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert group.get("betas", (0.5, 0.9)) == (0.5, 0.9)
    assert group.get("momentum", 0.7) == 0.7
    assert group["weight_decay"] == 0.2


def test_what_an_optimiser_has_gathered_one_parameter_at_a_time_goes_on_fused():
    weights = [nn.Parameter(torch.ones(3)) for _ in range(2)]
    plain = torch.optim.Adam([{"params": weights[:1], "factor": 1.0}], 0.5)
    ours = torch.optim.Adam([{"params": weights[1:], "factor": 1.0}], 0.1, fused=True)
    for step in range(4):
        if step == 2:
            restore_optimizer(ours, copy.deepcopy(plain.state_dict()))
            weights[1].data.copy_(weights[0].data)
            set_rate(plain, 0.1)
        for weight, optimizer in zip(weights, (plain, ours), strict=True):
            weight.grad = torch.tensor([1.0, -2.0, 0.1]) * (step + 1)
            optimizer.step()
    assert ours.param_groups[0]["fused"] and ours.param_groups[0]["lr"] == 0.1
    torch.testing.assert_close(*weights)


@pytest.mark.parametrize("option", [{"pretrained_lr": 0.1}, {"freeze_norms": True}])
def test_a_network_without_an_imagenet_encoder_is_refused(data, tmp_path, option):
    (key, value) = next(iter(option.items()))
    config = tiny_config(data, f"train.{key}={value}".lower())
    training = tiny_training(config, tmp_path)
    training.network.encoder = lambda: None
    with pytest.raises(InputError, match=rf"train\.{key}: dim has no ImageNet encoder"):
        training.fit()


def test_gradients_are_clamped_then_scaled_to_a_norm():
    weight = torch.nn.Parameter(torch.zeros(4))

    def clipped(**options) -> list[float]:
        weight.grad = torch.tensor([30.0, -40.0, 0.0, 3.0])
        clip_gradients([weight], TrainConfig(**options))
        return weight.grad.tolist()

    assert clipped(clip=None) == [30, -40, 0, 3]
    assert clipped(clip=5.0) == [5, -5, 0, 3]
    small = torch.tensor(clipped(clip=5.0, clip_norm=1.0))
    assert small.norm().item() == pytest.approx(1, rel=1e-4)
    assert small[0] / small[3] == pytest.approx(5 / 3)


def test_frozen_norms_are_those_of_imagenet_and_stay_frozen_in_training_mode():
    network = small_unet()
    freeze_norms(network)
    network.eval().train()
    frozen = {n for n, m in network.named_modules() if isinstance(m, Norm) and not m.training}
    assert "layer0.norm" in frozen and "layer7.0.project.norm" in frozen
    assert not any(name.startswith(("decoder", "context", "detail")) for name in frozen)


def test_layers_of_imagenet_and_gates_learn_at_rates_of_their_own():
    network = small_unet()
    options = TrainConfig(optimizer="adamw", pretrained_lr=0.3, weight_decay=0.1)
    optimizer = make_optimizer(network, network, options, gate_lr=20)
    set_rate(optimizer, 0.001)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert len(rates) == len(list(network.parameters()))
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.1}
    assert rates[id(network.layer3[0].expand.conv.weight)] == pytest.approx(0.0003)
    assert rates[id(network.decoder1[0].conv.weight)] == pytest.approx(0.001)
    assert rates[id(network.layer3[0].expand.norm.weight)] == pytest.approx(0.02)
    assert rates[id(network.decoder1[0].norm.weight)] == pytest.approx(0.02)
    assert rates[id(network.layer3[0].expand.norm.bias)] == pytest.approx(0.0003)
    assert rates[id(network.decoder1[0].norm.bias)] == pytest.approx(0.001)


@pytest.mark.parametrize("rate", [1e-9, 1.0])
def test_the_pruning_stage_moves_gates_at_that_rate(data, tmp_path, rate):
    training = tiny_training(tiny_config(data, f"prune.gate_lr={rate}"), tmp_path)
    training.sparsity = Sparsity(training.network, 0.01, 1.0)
    before = {name: one.detach().clone() for name, one in training.network.named_parameters()}
    training.fit()
    moved = {
        name: (one - before[name]).abs().max().item()
        for name, one in training.network.named_parameters()
    }
    assert (moved["encoder3.units.0.norm.weight"] > 1e-5) == (rate == 1.0)
    assert moved["encoder3.units.0.conv.weight"] > 1e-5


def test_frozen_layers_and_their_statistics_stay_while_the_others_learn(data, tmp_path):
    config = tiny_config(data, "train.frozen=[encoder,decoder5]", "train.epochs=1")
    training = tiny_training(config, tmp_path)
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    training.fit()
    after = models.load(training.last).state_dict()
    changed = {
        name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])
    }
    assert changed == {f"decoder{k}" for k in range(1, 5)}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("refine",), "no layer of this dim begins with 'refine'; there are encoder1, encoder2"),
        (("encoder", "decoder"), "leaves nothing to train; name fewer layers"),
    ],
)
def test_what_cannot_be_frozen_is_named(names, words):
    with pytest.raises(InputError, match=rf"train\.frozen: {words}"):
        freeze(tiny_network(), names)
