"""The loop: an interruption changes nothing, bad losses stop it, only what should train does."""

import os
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import models
from models import files
from models.errors import InputError
from tests.sets import write_set
from utils import config as configs
from utils.config import Config
from utils.data.split import write_split
from utils.prune import Sparsity, gates, open_gates
from utils.train import loop
from utils.train.assemble import assemble
from utils.train.objective import Objective
from utils.train.validate import validate

TINY = 1 / 32


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = write_set(tmp_path_factory.mktemp("data") / "tiny")
    write_split(root, 0.25, seed=0)
    return root


def tiny_config(data: Path, *overrides: str) -> Config:
    return configs.load(
        None,
        [
            f"data.root={data.parent}",
            f"data.dataset={data.name}",
            "data.crop=32",
            "data.backgrounds_per_foreground=4",
            "data.valid_backgrounds=2",
            "data.workers=0",
            "train.epochs=2",
            "train.batch_size=3",
            "train.precision=float32",
            "distill.stages=[encoder2,encoder3]",
            *overrides,
        ],
    )


def tiny_network(seed: int = 0, width: float = TINY):
    torch.manual_seed(seed)
    return models.build("dim", models.scaled_plan("dim", width))


def tiny_task(config: Config, folder: Path, teacher_seed: int | None = None) -> loop.Task:
    teacher = None
    if teacher_seed is not None:
        teacher = tiny_network(teacher_seed, 2 * TINY).eval().requires_grad_(False)
    task = assemble(
        config, "train", tiny_network(), teacher, last="checkpoint.tar", best="BEST_checkpoint.tar"
    )
    task.last, task.best = folder / "checkpoint.tar", folder / "BEST_checkpoint.tar"
    return task


def same_weights(a, b) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_training_lowers_the_loss_and_leaves_last_and_best(data, tmp_path):
    config = tiny_config(data, "train.epochs=8", "train.lr=0.01")
    task = tiny_task(config, tmp_path)
    untrained = validate(task.network, task.validation, task.device, "float32", True)
    loop.fit(task)
    last = torch.load(task.last, weights_only=True)["training"]
    best = torch.load(task.best, weights_only=True)["training"]
    assert last["step"] == 8 * 4
    assert last["best"] == best["scores"]["alpha"]
    assert best["scores"]["alpha"] < 0.9 * untrained.alpha_loss
    assert configs.Config.model_validate(last["config"]) == config
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
