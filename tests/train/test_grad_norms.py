"""What a term pulls: its gradient over the truth's, and nothing of a training is written."""

import copy

import numpy as np
import pytest
import torch

from models.errors import InputError
from tests.trainings import tiny_config, tiny_training
from utils.data.loader import training_loader
from utils.train import grad_norms as room
from utils.train.grad_norms import grad_norms, grad_norms_message
from utils.train.optimizer import freeze_norms


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(room, "BATCHES", 2)
    monkeypatch.setattr(room, "LONGEST", 3)


def pulled(data, folder, *overrides):
    training = tiny_training(tiny_config(data, *overrides), folder, teacher_seed=5)
    return training, grad_norms(training.objective, training.config, "train").terms


def test_terms_to_the_truth_add_up_to_a_pull_of_one(data, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "BATCHES", 1)
    _, found = pulled(data, tmp_path, "loss.kd=0", "loss.l1=1", "loss.laplacian=1")
    truth = [found[name] for name in ("alpha", "l1", "laplacian")]
    assert sum(one.norm * one.along for one in truth) == pytest.approx(1, abs=1e-5)


def test_a_pull_is_the_norm_of_a_gradient_over_that_of_the_truths(data, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "BATCHES", 1)
    kinds = ("distill.types=[spatial]", "loss.kd=3")  # without adapters
    training, found = pulled(data, tmp_path, *kinds)
    again = tiny_training(training.config, tmp_path, teacher_seed=5)
    task, weights = again.objective.task, list(again.network.parameters())
    loader = training_loader(task.sources(), 3, 1, False)
    batch = task.batch(next(iter(loader)), torch.device("cpu"), torch.channels_last)
    norms = {}
    for name in ("alpha", "spatial"):
        again.network.zero_grad(set_to_none=True)
        terms, _ = again.objective.train()(batch)
        terms[name].backward()
        squares = [w.grad.square().sum().item() for w in weights if w.grad is not None]
        norms[name] = np.sqrt(sum(squares))
        if name == "spatial":
            assert found[name].loss == pytest.approx(terms[name].item(), rel=1e-5)
    assert found["spatial"].norm == pytest.approx(norms["spatial"] / norms["alpha"], rel=1e-4)


def test_frozen_layers_are_not_pulled(data, tmp_path):
    _, free = pulled(data, tmp_path, "distill.types=[spatial]")
    with pytest.raises(InputError, match=r"no term to the truth pulls at what is trained"):
        pulled(data, tmp_path, "distill.types=[spatial]", "loss.alpha=0")
    _, frozen = pulled(data, tmp_path, "distill.types=[spatial]", "train.frozen=[encoder]")
    assert free["spatial"].norm > 0 and frozen["spatial"].norm == 0


def test_norms_that_are_estimated_are_those_of_the_training(data, tmp_path):
    """It compares at the statistics that the first steps see."""
    words = ("distill.types=[at]", "train.freeze_norms=true", "train.estimate_norms=2")
    statistics = []
    for other in (0.0, 5.0):  # whatever a file has brought
        training = tiny_training(tiny_config(data, *words), tmp_path, teacher_seed=5)
        norms = freeze_norms(training.network)
        for norm in norms:
            norm.running_mean.fill_(other)
        grad_norms(training.objective, training.config, "train")
        statistics.append(torch.cat([norm.running_mean for norm in norms]))
    assert torch.equal(*statistics) and statistics[0].abs().max() > 0


@pytest.mark.parametrize(("still", "settled"), [(2.0, 6), (1e-9, 2)])
def test_adapters_alone_settle_until_their_terms_no_longer_fall(
    data, tmp_path, monkeypatch, still, settled
):
    for name, value in {"LONGEST": 6, "WINDOW": 1, "STILL": still}.items():
        monkeypatch.setattr(room, name, value)
    training = tiny_training(tiny_config(data, "distill.types=[spatial,channel]"), tmp_path, 5)
    learnt = training.objective.distillation
    weights, adapters = (copy.deepcopy(one.state_dict()) for one in (training.network, learnt))
    result = grad_norms(training.objective, training.config, "train")
    assert (result.adapted, result.settled) == (("channel",), settled)
    for name, value in training.network.named_parameters():
        assert torch.equal(value, weights[name])
    assert not any(torch.equal(adapters[name], one) for name, one in learnt.named_parameters())
    lines = grad_norms_message(result).splitlines()
    assert [line.split()[1] for line in lines[2:-1]] == [
        *("alpha", "alpha_teacher", "spatial", "channel")
    ]
    assert lines[-1].startswith(
        f"channel: after adapters and connectors have learned for {settled} "
    )


def test_a_loss_that_is_not_finite_is_told(data, tmp_path):
    training = tiny_training(tiny_config(data, "distill.types=[at]"), tmp_path, teacher_seed=5)
    training.objective._teacher[1].decoder1.conv.weight.data.fill_(float("nan"))
    with pytest.raises(InputError, match="--pull: the alpha_teacher loss is nan"):
        grad_norms(training.objective, training.config, "train")
