"""Statistics estimated anew on a training's own samples, before norms are frozen."""

import pytest
import torch

import models
from models.errors import InputError
from tests.trainings import tiny_config, tiny_training
from utils.train.objective import Objective
from utils.train.optimizer import freeze_norms
from utils.train.statistics import estimate


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
    estimate(network, norms, batches)
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


def test_deep_maps_are_normalised_after_it():
    network = tiny_indexnet().train()
    norms = freeze_norms(network)
    estimate(network, norms, [samples(1)])
    seen = []
    hook = network.layer4[3].project.norm.register_forward_hook(lambda *a: seen.append(a[2]))
    network.compute(*samples(1), None)
    hook.remove()
    spread = seen[0].transpose(0, 1).flatten(1)
    assert spread.mean(1).abs().max() < 0.05
    assert (spread.var(1) - 1).abs().max() < 0.1


def test_statistics_that_are_not_finite_are_told():
    network = tiny_indexnet().train()
    network.layer0.conv.weight.data.fill_(float("inf"))
    with pytest.raises(InputError, match=r"train\.estimate_norms: the statistics are not finite"):
        estimate(network, freeze_norms(network), [samples(1)])


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
