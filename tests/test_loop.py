"""The loop: an interruption changes nothing, bad losses stop it, only what should train does."""

import multiprocessing
import os
import re
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import models
from models import files
from models.errors import InputError
from tests.tasks import TINY, tiny_config, tiny_network, tiny_task
from utils.options import Config
from utils.prune import Sparsity, gates, open_gates
from utils.train import loop
from utils.train.assemble import assemble
from utils.train.objective import Objective
from utils.train.validate import validate


def same_weights(a, b) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_training_lowers_the_loss_and_leaves_last_and_best(data, tmp_path):
    config = tiny_config(data, "train.epochs=24", "train.lr=0.01")
    task = tiny_task(config, tmp_path)
    untrained = validate(task.network, task.validation, task.device, "float32", True)
    loop.fit(task)
    last = torch.load(task.last, weights_only=True)["training"]
    best = torch.load(task.best, weights_only=True)["training"]
    assert last["step"] == 24 * 4
    assert last["best"] == best["scores"]["alpha"]
    assert best["scores"]["alpha"] < 0.9 * untrained.alpha_loss
    again = Config.model_validate(last["config"])
    assert again == config and again.loop("train_prune") == config.loop("train_prune")
    loaded = models.load(task.last)
    assert same_weights(loaded, task.network)
    assert list((tmp_path / "board" / "checkpoint").iterdir())


def test_tensorboard_gets_terms_rates_pictures_gates_and_widths(data, tmp_path):
    task = tiny_task(tiny_config(data, "train.epochs=1"), tmp_path, teacher_seed=5)
    task.sparsity = Sparsity(task.network, 1e-5, 10)
    loop.fit(task)
    events = EventAccumulator(str(tmp_path / "board" / "checkpoint")).Reload()
    tags = events.Tags()
    terms = {
        f"loss/{name}" for name in ("alpha", "alpha_teacher", "spatial", "channel", "sparsity")
    }
    others = {"rate/lr", "rate/samples_per_s", "valid/alpha", "valid/SAD", "width/encoder1.1"}
    assert terms | others <= set(tags["scalars"])
    assert tags["images"] == ["matte"]
    assert {"gates/encoder1.2/0", "gates/encoder1.2/1", "gates/encoder5.3/0"} <= set(
        tags["histograms"]
    )
    matte = events.Images("matte")[0]
    assert (matte.height, matte.width) == (2 * 32, 4 * 32)


class Interrupting(Objective):
    """Sends this process SIGTERM during the given step, as a cluster does."""

    after = 3

    def forward(self, *arguments):
        self.after -= 1
        if self.after == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().forward(*arguments)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("teacher", [None, 5])
def test_an_interrupted_and_resumed_training_equals_an_uninterrupted_one(
    data, tmp_path, teacher, workers
):
    config = tiny_config(data, f"data.workers={workers}")
    whole = tiny_task(config, tmp_path / "whole", teacher)
    loop.fit(whole)

    first = tiny_task(config, tmp_path / "parts", teacher)
    first.objective.__class__ = Interrupting
    with pytest.raises(SystemExit) as stopped:
        loop.fit(first)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert files.read(first.last)["training"]["step"] == 3

    second = tiny_task(config, tmp_path / "parts", teacher)
    loop.fit(second, resume=True)
    assert same_weights(whole.network, second.network)
    assert same_weights(whole.objective, second.objective)
    assert same_weights(models.load(whole.best), models.load(second.best))


def test_signals_are_given_back_after_training(data, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    loop.fit(tiny_task(tiny_config(data, "train.epochs=1"), tmp_path))
    assert signal.getsignal(signal.SIGTERM) is before


class Exploding(Objective):
    def forward(self, *arguments):
        terms, alpha = super().forward(*arguments)
        return {**terms, "alpha": terms["alpha"] * float("nan")}, alpha


def test_a_loss_that_is_not_finite_stops_with_step_and_term_and_saves_nothing(data, tmp_path):
    task = tiny_task(tiny_config(data), tmp_path)
    task.objective.__class__ = Exploding
    with pytest.raises(InputError, match=r"step 1: the alpha loss is nan; lower train\.lr"):
        loop.fit(task)
    assert not task.last.exists()


def test_weights_that_are_not_finite_are_not_saved(data, tmp_path):
    task = tiny_task(tiny_config(data, "train.epochs=1"), tmp_path)
    run = loop._Run(task, resume=False)
    task.network.decoder1.conv.weight.data[0] = float("inf")
    with pytest.raises(InputError, match="a weight is nan"):
        run.save()
    assert not task.last.exists()


def test_resume_refuses_another_network_and_a_file_without_training(data, tmp_path):
    config = tiny_config(data, "train.epochs=1")
    task = tiny_task(config, tmp_path)
    files.save_network(task.last, tiny_network())
    with pytest.raises(InputError, match="no interrupted training; start without --resume"):
        loop.fit(task, resume=True)
    loop.fit(task)
    other = tiny_task(config, tmp_path)
    other.network = tiny_network(width=2 * TINY)
    with pytest.raises(InputError, match=r"checkpoint\.tar: its network has another plan"):
        loop.fit(other, resume=True)
    with pytest.raises(InputError, match="no such checkpoint"):
        loop.fit(tiny_task(config, tmp_path / "empty"), resume=True)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.crop=48", "data.crop was 32 and is now 48"),
        ("train.batch_size=2", "train.batch_size was 3 and is now 2"),
        ("distill.types=[batch]", "distill.types was"),
        ("seed=1", "seed was 0 and is now 1"),
        ("train.epochs=1", "has done 8 steps, more than the 4 of train.epochs"),
    ],
)
def test_resume_refuses_another_training(finished, data, override, words):
    config = tiny_config(data, override)
    with pytest.raises(InputError, match=re.escape(words)):
        loop.fit(tiny_task(config, finished, teacher_seed=5), resume=True)


@pytest.mark.parametrize("override", ["data.workers=1", "train.lr=0.1", "prune.rate=0.3"])
def test_resume_allows_what_leaves_samples_and_loss_alone(finished, data, override):
    loop.fit(tiny_task(tiny_config(data, override), finished, teacher_seed=5), resume=True)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    """The folder of a finished training under a teacher."""
    folder = tmp_path_factory.mktemp("finished")
    loop.fit(tiny_task(tiny_config(data), folder, teacher_seed=5))
    return folder


def test_a_student_never_overwrites_its_teacher(data):
    config = tiny_config(data, "save_dir=own", "teacher=result/own/BEST_checkpoint.tar")
    with pytest.raises(InputError, match=r"own/BEST_checkpoint\.tar would be overwritten"):
        assemble(
            config, "train", tiny_network(), tiny_network(1), last="l", best="BEST_checkpoint.tar"
        )


class Failing(Objective):
    def forward(self, *arguments):
        raise TypeError("a fault of ours")


def test_workers_end_with_any_error(data, tmp_path):
    task = tiny_task(tiny_config(data, "data.workers=1"), tmp_path)
    task.objective.__class__ = Failing
    with pytest.raises(TypeError, match="a fault of ours"):
        loop.fit(task)
    # The exception, and with it every frame, is still alive here.
    assert not multiprocessing.active_children()


def test_a_log_that_cannot_be_written_is_one_line(data, tmp_path):
    (tmp_path / "board").write_text("a file where a folder should be")
    with pytest.raises(InputError, match="TensorBoard's log cannot be written"):
        loop.fit(tiny_task(tiny_config(data), tmp_path))


def test_the_teacher_stays_as_it_is_and_adapters_are_trained_but_not_saved_in_the_best(
    data, tmp_path
):
    config = tiny_config(data, "train.epochs=1")
    task = tiny_task(config, tmp_path, teacher_seed=5)
    teacher = task.objective._teacher[0]
    teacher_before = {k: v.clone() for k, v in teacher.state_dict().items()}
    adapters_before = {k: v.clone() for k, v in task.objective.state_dict().items()}
    assert adapters_before, "widths differ, so there are adapters"
    loop.fit(task)
    assert all(torch.equal(teacher.state_dict()[k], v) for k, v in teacher_before.items())
    after = task.objective.state_dict()
    assert not any(torch.equal(after[k], v) for k, v in adapters_before.items())
    assert models.load(task.best).state_dict().keys() == task.network.state_dict().keys()


def test_equal_widths_need_no_adapter(data):
    config = tiny_config(data)
    student, teacher = tiny_network(), tiny_network(1).eval()
    assert not list(Objective(student, config.loss, config.distill, teacher).parameters())


def test_every_term_is_weighted(data):
    student, teacher = tiny_network().eval(), tiny_network(1).eval()
    batch = torch.rand(2, 3, 32, 32), torch.full((2, 1, 32, 32), 0.5), torch.rand(2, 1, 32, 32)

    def terms(*overrides: str) -> dict[str, float]:
        config = tiny_config(data, *overrides)
        found, _ = Objective(student, config.loss, config.distill, teacher)(student, *batch)
        return {name: value.item() for name, value in found.items()}

    one = terms()
    assert list(one) == ["alpha", "alpha_teacher", "spatial", "channel"]
    two = terms("loss.alpha=2", "loss.alpha_teacher=3", "loss.kd=2", "distill.weights=[1,4]")
    factors = {"alpha": 2, "alpha_teacher": 3, "spatial": 2, "channel": 8}
    assert two == pytest.approx({name: factors[name] * value for name, value in one.items()})
    assert list(terms("loss.alpha_teacher=0", "loss.kd=0")) == ["alpha"]


def test_an_unknown_stage_names_the_known_ones(data):
    config = tiny_config(data, "distill.stages=[encoder9]")
    with pytest.raises(InputError, match=r"dim has no 'encoder9'; it has encoder1, "):
        tiny_task(config, Path("unused"), teacher_seed=1)


def test_the_pruning_stage_shrinks_gates_and_leaves_shifts_at_zero(data, tmp_path):
    config = tiny_config(data, "train.epochs=6", "train.lr=0.01")

    def gate_mean(weight: float) -> float:
        task = tiny_task(config, tmp_path / str(weight), teacher_seed=5)
        open_gates(task.network)
        task.sparsity = Sparsity(task.network, weight, 10)
        loop.fit(task)
        assert all(not unit.norm.bias.any() for unit in task.network.encoder3.units)
        scales = [gate.scale.abs() for members in gates(task.network).values() for gate in members]
        return torch.cat(scales).mean().item()

    assert gate_mean(1e-1) < 0.9 * gate_mean(0.0)


def test_bfloat16_trains(data, tmp_path):
    config = tiny_config(data, "train.epochs=1", "train.precision=bfloat16")
    loop.fit(tiny_task(config, tmp_path, teacher_seed=5))
    assert (tmp_path / "BEST_checkpoint.tar").exists()


def test_float16_on_a_cpu_is_refused_before_any_work(data, tmp_path):
    config = tiny_config(data, "train.precision=float16")
    config = config.model_copy(update={"device": "cpu"})
    with pytest.raises(InputError, match="float16 needs a GPU"):
        loop.fit(tiny_task(config, tmp_path))
