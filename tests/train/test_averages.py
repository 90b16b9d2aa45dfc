"""Averages over the steps of a training: of losses, of weights, of BatchNorms' statistics."""

import math

import pytest
import torch

import models
from models.errors import InputError
from models.files import saving as files
from tests.trainings import same, tiny_config, tiny_network, tiny_training
from utils.prune import History, Sparsity, open_gates, scores
from utils.train import loop
from utils.train.averages import LossAverage, WeightAverage
from utils.train.objective import Objective
from utils.train.optimizer import freeze_norms
from utils.train.setup import estimate_statistics
from utils.train.validate import validate


def losses(*values: float) -> LossAverage:
    average = LossAverage()
    for step, value in enumerate(values, 1):
        average.add(step, {"alpha": torch.tensor(value), "spatial": torch.tensor(2 * value)})
    return average


def test_means_are_those_of_all_steps_since_the_last_call():
    average = losses(1.0, 2.0, 6.0)
    assert average.means() == {"alpha": 3.0, "spatial": 6.0}
    average.add(4, {"alpha": torch.tensor(5.0)})
    assert average.means() == {"alpha": 5.0}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_told_with_its_step(value):
    average = losses(1.0, value)
    with pytest.raises(InputError, match=f"step 2: the alpha loss is {value}"):
        average.add(3, {"alpha": torch.tensor(1.0)})
    with pytest.raises(InputError, match="step 1: the alpha loss"):
        losses(value).settle()


def test_the_average_of_a_short_training_is_not_its_start():
    network = tiny_network()
    average = WeightAverage(network, 0.99)
    weight, statistic = network.decoder1.conv.weight, network.encoder1.units[0].norm.running_mean
    expected = None
    for step in range(20):
        with torch.no_grad():
            weight.fill_(step)
            statistic.fill_(-step)
        average.update()
        kept = min(0.99, (1 + step) / (10 + step))
        expected = 0.0 if step == 0 else kept * expected + (1 - kept) * step
        copy = average.network
        assert copy.decoder1.conv.weight.mean().item() == pytest.approx(expected, rel=1e-5)
        copied = copy.encoder1.units[0].norm.running_mean
        assert copied.mean().item() == pytest.approx(-expected, rel=1e-5)


def test_an_average_that_a_resumed_training_begins_is_of_the_trained_network():
    network = tiny_network()
    average = WeightAverage(network, 0.9)
    network.decoder1.conv.weight.data.fill_(3)  # as it is loaded
    average.load_state_dict({})
    assert same(average.network, network)


def test_what_is_validated_last_is_what_the_network_ends_as(data, tmp_path, monkeypatch):
    """train_prune.py cuts it, and shows how its gates moved."""
    training = tiny_training(tiny_config(data, "train.ema=0.9", "train.lr=0.05"), tmp_path)
    open_gates(training.network)
    training.sparsity, training.history = Sparsity(training.network, 1e-2, 10), History()
    seen = []

    def spy(network, *others):
        seen.append((scores(network), network is training.network))
        return validate(network, *others)

    monkeypatch.setattr(loop, "validate", spy)
    training.fit()
    ranked, live = seen[-1]
    assert not live
    assert all(torch.equal(ranked[g], score) for g, score in scores(training.network).items())
    shown = History()
    shown.add(training.network, training.history.rows[-1]["step"])
    assert shown.rows[-1] == training.history.rows[-1]
    assert not same(models.load(training.last), training.network)  # resumed, it goes on as it was


def test_the_average_is_validated_kept_and_resumed(data, tmp_path):
    config = tiny_config(data, "train.ema=0.5")
    whole = tiny_training(config, tmp_path / "whole")
    whole.fit()
    assert files.read(whole.last)["training"]["average"]["n_averaged"] == 8  # once a step
    parts = tiny_training(tiny_config(data, "train.ema=0.5", "train.epochs=1"), tmp_path / "parts")
    parts.fit()
    assert not same(models.load(parts.best), models.load(parts.last))
    again = tiny_training(config, tmp_path / "parts")
    again.fit(resume=True)
    assert same(models.load(again.last), models.load(whole.last))
    assert same(models.load(again.best), models.load(whole.best))


def tiny_indexnet() -> models.Network:
    torch.manual_seed(0)
    return models.build("indexnet", models.scaled_plan("indexnet", 1 / 8))


def samples(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 64, 64, generator=generator), torch.rand(
        2, 1, 64, 64, generator=generator
    )


def test_frozen_norms_get_the_mean_of_what_batches_have():
    network = tiny_indexnet().train()
    norms = freeze_norms(network)
    batches = [samples(1), samples(2)]
    estimate_statistics(network, norms, batches)
    first = network.layer0
    with torch.no_grad():
        maps = [
            first.conv(torch.cat([network.normalise(image), trimap], 1))
            for image, trimap in batches
        ]
    means = torch.stack([one.mean((0, 2, 3)) for one in maps]).mean(0)
    variances = torch.stack([one.transpose(0, 1).flatten(1).var(1) for one in maps]).mean(0)
    torch.testing.assert_close(first.norm.running_mean, means)
    torch.testing.assert_close(first.norm.running_var, variances)
    assert first.norm.momentum == 0.1
    assert not any(norm.training for norm in network.train().modules() if norm in norms)
    assert network.decoder6.norm.training


def test_statistics_that_cannot_be_estimated_are_refused(data, tmp_path):
    with pytest.raises(InputError, match=r"estimate_norms: .* train\.freeze_norms freezes"):
        tiny_training(tiny_config(data, "train.estimate_norms=2"), tmp_path).fit()
    network = tiny_indexnet().train()
    network.layer0.conv.weight.data.fill_(float("inf"))
    with pytest.raises(InputError, match=r"train\.estimate_norms: the statistics are not finite"):
        estimate_statistics(network, freeze_norms(network), [samples(1)])


def test_a_training_estimates_once_and_a_resumed_one_goes_on(data, tmp_path):
    words = ("train.freeze_norms=true", "train.estimate_norms=2", "train.ema=0.9")

    def training(*more: str):
        made = tiny_training(tiny_config(data, *words, *more), tmp_path / "a")
        made.objective = Objective(tiny_indexnet(), made.config)
        return made

    def statistics(network: models.Network) -> torch.Tensor:
        return torch.cat([b.flatten() for n, b in network.named_buffers() if "layer" in n])

    fresh = statistics(tiny_indexnet())
    first = training("train.epochs=1")
    first.fit()
    found = statistics(first.network)
    assert not torch.equal(found, fresh)
    assert torch.equal(statistics(models.load(first.best)), found)  # the average has them, too
    again = training()
    again.fit(resume=True)
    assert torch.equal(statistics(again.network), found)
