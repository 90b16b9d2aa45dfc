"""The loop: an interruption changes nothing, bad losses stop it, only what should train does."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import models
from models.errors import InputError
from models.files import saving as files
from tests.trainings import tiny_config, tiny_network, tiny_training
from utils.config.options import Config
from utils.data.loader import validation_loader
from utils.prune import Sparsity
from utils.tasks.matting import MattingBatch
from utils.train.objective import Objective
from utils.train.validate import validate


def same_weights(a, b) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_training_lowers_the_loss_and_leaves_last_and_best(data, tmp_path):
    config = tiny_config(data, "train.epochs=24", "train.lr=0.01")
    training = tiny_training(config, tmp_path)
    sources = training.objective.task.sources()
    loader = validation_loader(sources, config.train.batch_size, pin=False)
    how = (torch.device("cpu"), "float32", torch.contiguous_format)
    untrained = validate(training.network, training.objective.task, loader, *how)
    training.fit()
    last = torch.load(training.last, weights_only=True)["training"]
    best = torch.load(training.best, weights_only=True)["training"]
    assert last["step"] == 24 * 4
    assert last["best"] == best["scores"]["alpha"]
    assert best["scores"]["alpha"] < 0.9 * untrained.scores["alpha"]
    again = Config.model_validate(last["config"])
    assert again == training.config and again.loop("train_prune") == config.loop("train_prune")
    loaded = models.load(training.last)
    assert same_weights(loaded, training.network)
    assert list((tmp_path / "board" / "train").iterdir())


def test_tensorboard_gets_terms_rates_pictures_gates_and_widths(data, tmp_path):
    training = tiny_training(tiny_config(data, "train.epochs=1"), tmp_path, teacher_seed=5)
    training.sparsity = Sparsity(training.network, 1e-5, 10)
    training.fit()
    events = EventAccumulator(str(tmp_path / "board" / "train")).Reload()
    tags = events.Tags()
    terms = {
        f"loss/{name}" for name in ("alpha", "alpha_teacher", "spatial", "channel", "sparsity")
    }
    others = {"rate/lr", "rate/samples_per_s", "valid/alpha", "valid/SAD", "width/encoder1.1"}
    assert terms | others <= set(tags["scalars"])
    assert tags["images"] == ["samples"]
    assert {"gates/encoder1.2/0", "gates/encoder1.2/1", "gates/encoder5.3/0"} <= set(
        tags["histograms"]
    )
    samples = events.Images("samples")[0]  # image, trimap, truth and matte, two of each
    assert (samples.height, samples.width) == (28 + 2 * (240 + 6), 4 * (240 + 6))


class Interrupting(Objective):
    """Sends this process SIGTERM during the given step, as a cluster does."""

    after = 3

    def forward(self, *arguments):
        self.after -= 1
        if self.after == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().forward(*arguments)


@pytest.mark.parametrize("teacher", [None, 5])
def test_an_interrupted_and_resumed_training_equals_an_uninterrupted_one(data, tmp_path, teacher):
    config = tiny_config(data, "data.workers=1")
    whole = tiny_training(config, tmp_path / "whole", teacher)
    whole.fit()

    first = tiny_training(config, tmp_path / "parts", teacher, Interrupting)
    with pytest.raises(SystemExit) as stopped:
        first.fit()
    assert stopped.value.code == 128 + signal.SIGTERM
    assert files.read(first.last)["training"]["step"] == 3

    second = tiny_training(config, tmp_path / "parts", teacher)
    second.fit(resume=True)
    assert same_weights(whole.network, second.network)
    assert same_weights(whole.objective, second.objective)
    assert same_weights(models.load(whole.best), models.load(second.best))


class Breaking(Interrupting):
    """A weight becomes infinite, though every loss is finite, just when it should be saved."""

    def forward(self, *arguments):
        terms, alpha = super().forward(*arguments)
        if self.after == 0:
            self.network.decoder1.conv.weight.data[0] = float("inf")
        return terms, alpha


def test_weights_that_are_not_finite_are_not_saved(data, tmp_path):
    training = tiny_training(tiny_config(data, "train.epochs=1"), tmp_path, kind=Breaking)
    with pytest.raises(InputError, match="a weight is nan"):
        training.fit()
    assert not training.last.exists()


class Failing(Objective):
    def forward(self, *arguments):
        raise TypeError("a fault of ours")


def test_workers_end_with_any_error(data, tmp_path):
    training = tiny_training(tiny_config(data, "data.workers=1"), tmp_path, kind=Failing)
    with pytest.raises(TypeError, match="a fault of ours"):
        training.fit()
    # The exception, and with it every frame, is still alive here.
    assert not multiprocessing.active_children()


def test_the_teacher_stays_as_it_is_and_adapters_are_trained_but_not_saved_in_the_best(
    data, tmp_path
):
    config = tiny_config(data, "train.epochs=1", "train.precision=bfloat16")
    training = tiny_training(config, tmp_path, teacher_seed=5)
    teacher = training.objective._teacher[0]
    teacher_before = {k: v.clone() for k, v in teacher.state_dict().items()}
    adapters = training.objective.distillation
    adapters_before = {k: v.clone() for k, v in adapters.state_dict().items()}
    assert adapters_before, "widths differ, so there are adapters"
    training.fit()
    assert all(torch.equal(teacher.state_dict()[k], v) for k, v in teacher_before.items())
    after = adapters.state_dict()
    assert not any(torch.equal(after[k], v) for k, v in adapters_before.items())
    assert models.load(training.best).state_dict().keys() == training.network.state_dict().keys()


def test_the_teacher_goes_where_the_network_goes(data):
    student, teacher = tiny_network(), tiny_network(1)
    objective = Objective(student, tiny_config(data), teacher).to("meta", torch.float64)
    assert {(one.device.type, one.dtype) for one in teacher.parameters()} == {
        ("meta", torch.float64)
    }
    assert not {*map(id, teacher.parameters())} & {*map(id, objective.parameters())}


def test_every_term_is_weighted(data):
    student, teacher = tiny_network().eval(), tiny_network(1).eval()
    batch = tiny_batch()

    def terms(*overrides: str) -> dict[str, float]:
        config = tiny_config(data, *overrides)
        found, _ = Objective(student, config, teacher)(batch)
        return {name: value.item() for name, value in found.items()}

    one = terms()
    assert list(one) == ["alpha", "alpha_teacher", "spatial", "channel"]
    two = terms("loss.alpha=2", "loss.alpha_teacher=3", "loss.kd=2", "distill.weights=[1,4]")
    factors = {"alpha": 2, "alpha_teacher": 3, "spatial": 2, "channel": 8}
    assert two == pytest.approx({name: factors[name] * value for name, value in one.items()})
    assert list(terms("loss.alpha_teacher=0", "loss.kd=0")) == ["alpha"]


@pytest.mark.parametrize(("kinds", "reads"), [("spatial", False), ("spatial,ofd", True)])
def test_maps_before_relus_are_pooled_only_where_a_kind_reads_them(data, monkeypatch, kinds, reads):
    config = tiny_config(data, f"distill.types=[{kinds}]")
    training = tiny_training(config, Path("unused"), teacher_seed=5)
    seen, compute = [], training.network.forward_features

    def forward_features(*arguments, pre):
        seen.append(pre)
        return compute(*arguments, pre=pre)

    monkeypatch.setattr(training.network, "forward_features", forward_features)
    training.objective(tiny_batch())
    assert seen == [reads]


def test_the_target_is_the_unclamped_matte_whatever_the_terms(data):
    targets = []
    for overrides in ((), ("loss.kd=0",)):
        training = tiny_training(tiny_config(data, *overrides), Path("unused"), teacher_seed=5)
        (teacher,) = training.objective._teacher
        teacher.compute = lambda image, trimap, stages, of=teacher.compute: (
            of(image, trimap, stages) + 2
        )
        terms, _ = training.objective(tiny_batch())
        targets.append(terms["alpha_teacher"].item())
    assert targets[0] == targets[1] > 1.2


def tiny_batch() -> MattingBatch:
    generator = torch.Generator().manual_seed(0)
    image, alpha = (torch.rand(2, c, 32, 32, generator=generator) for c in (3, 1))
    trimap = torch.full((2, 1, 32, 32), 0.5)
    return MattingBatch(image, trimap, alpha, trimap == 0.5, None, None)


@pytest.mark.parametrize(("weights", "runs"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 1)])
def test_a_teacher_whose_terms_weigh_nothing_is_not_run(data, tmp_path, weights, runs):
    given = [f"loss.{key}={w}.0" for key, w in zip(("alpha_teacher", "kd"), weights, strict=True)]
    training = tiny_training(tiny_config(data, *given), tmp_path, teacher_seed=5)
    calls: list[None] = []
    compute = training.objective.teacher.compute
    training.objective.teacher.compute = lambda *args: calls.append(None) or compute(*args)
    task = training.objective.task
    sample = next(iter(validation_loader(task.sources(), 3, pin=False)))
    training.objective(task.batch(sample, torch.device("cpu"), torch.contiguous_format))
    assert len(calls) == runs
