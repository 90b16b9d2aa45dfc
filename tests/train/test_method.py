"""The scripts end with the numbers of a plain reference of the method (`plain_method.py`).

In float64, where a fault shows and rounding does not: Adam divides gradients by their own size, so
that in float32 noise grows to the size of a step.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.errors import InputError
from tests import plain_cut, plain_method
from tests.plain_method import Settings, Weights
from tests.runs import (
    FIXED_STUDENT,
    LAST,
    OTHER,
    PUBLISHED,
    SPKD,
    STEPPED,
    TEACHER,
    Run,
    read,
    same,
)
from tests.sets import prepare, write_set
from utils.train.objective import Objective


@pytest.fixture(scope="module", autouse=True)
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory, float64) -> Iterator[Path]:
    """The working folder, with a data set and a teacher."""
    folder = tmp_path_factory.mktemp("method")
    prepare(write_set(folder / "data" / "discs"))
    before = Path.cwd()
    os.chdir(folder)
    Run("train", PUBLISHED, folder / "teacher", more=("network.width=0.0625",)).start()
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def pruned(place) -> Path:
    """A folder with a cut network."""
    run = Run("train_prune", PUBLISHED, place / "pruned", more=TEACHER)
    run.start()
    return run.folder


def teacher() -> Weights:
    return read(Path("teacher/BEST_checkpoint.tar"))["weights"]


def fresh(s: Settings, convolutions: tuple = plain_method.VGG16, scale: float = 1 / 16) -> Weights:
    torch.manual_seed(s.seed)
    return plain_method.draw(convolutions, plain_method.plan(convolutions, scale))


def opened(s: Settings) -> Weights:
    weights = fresh(s)
    plain_method.open_gates(weights)
    return weights


def drawn_anew(s: Settings, pruned: Path) -> Weights:
    plan = read(pruned / "pruned.tar")["plan"]
    torch.manual_seed(s.seed)
    return plain_method.draw(plain_method.VGG16, plan)


@pytest.mark.parametrize("settings", [PUBLISHED, STEPPED], ids=["published", "other"])
def test_a_teacher_learns_from_the_truth_alone(place, tmp_path, settings):
    run = Run("train", settings, tmp_path, more=("network.width=0.0625",))
    run.start()
    run.ends_as(run.reference(fresh(settings), None))


@pytest.mark.parametrize(
    ("kinds", "flags"),
    [
        ("spatial,channel", ("--feature_layer", "[1,2,3,4]", "--KD_weight", "[1,1]")),
        ("channel,batch", ("--feature_layer", "[2,4]", "--KD_weight", "[0.5,2]")),
    ],
)
def test_the_fixed_student_learns_under_the_flags_of_spkd(place, tmp_path, kinds, flags):
    weights = map(float, flags[3].strip("[]").split(","))
    stages = (f"encoder{int(layer) + 1}" for layer in flags[1].strip("[]").split(","))
    settings = replace(
        FIXED_STUDENT,
        types=tuple(zip(kinds.split(","), weights, strict=True)),
        stages=tuple(stages),
    )
    run = Run("train", FIXED_STUDENT, tmp_path, SPKD, (*TEACHER, "network.width=0.03125"))
    run.start("--batch-size", "3", "--KD_type", kinds, *flags)
    run.settings = settings
    run.ends_as(run.reference(fresh(settings, plain_method.SPKD, 1 / 32), teacher()))


@pytest.mark.parametrize(
    ("settings", "choice", "arguments"),
    [
        (PUBLISHED, (), {"floor": 2}),
        (
            replace(OTHER, sparse_output=True),
            ("prune.ties=max_count", "prune.min_channels=3", "prune.rate=0.7"),
            {"share": 0.7, "floor": 3, "released": True},
        ),
        (
            OTHER,
            ("prune.min_channels=3", "prune.rate=0.7", "prune.round_to=4"),
            {"share": 0.7, "floor": 3, "multiple": 4},
        ),
    ],
    ids=["published", "as released", "rounded"],
)
def test_the_pruning_stage_ends_with_the_cut(place, tmp_path, settings, choice, arguments):
    run = Run("train_prune", settings, tmp_path, more=(*TEACHER, *choice))
    run.start()
    wanted = run.reference(opened(settings), teacher(), pruning=True)
    run.ends_as(wanted)
    assert wanted.clipped or settings is PUBLISHED
    keep = plain_cut.select(wanted.weights, **arguments)
    pruned = read(tmp_path / "pruned.tar")
    assert pruned["keep"] == keep
    assert len(pruned["gates"]) == settings.epochs + 1
    same(pruned["weights"], plain_cut.cut(wanted.weights, keep))


def test_slimming_learns_without_the_teacher(place, tmp_path):
    run = Run("train_prune", OTHER, tmp_path, more=(*TEACHER, "prune.criterion=ns"))
    run.start()
    run.ends_as(run.reference(opened(OTHER), None, pruning=True))


def test_uniform_pruning_cuts_the_teacher_without_a_training(place, tmp_path):
    choice = ("prune.criterion=uni", "prune.rate=0.5", "prune.min_channels=1")
    Run("train_prune", PUBLISHED, tmp_path, more=(*TEACHER, *choice)).start()
    pruned, whole = read(tmp_path / "pruned.tar"), read(Path("teacher/BEST_checkpoint.tar"))
    assert pruned["plan"] == {group: width // 2 for group, width in whole["plan"].items()}
    same(pruned["weights"], plain_cut.cut(whole["weights"], pruned["keep"]))
    assert not (tmp_path / "checkpoint_prune.tar").exists()


def test_a_cut_in_steps_trains_in_between_and_goes_on_where_it_was_stopped(
    place, tmp_path, monkeypatch
):
    choice = ("prune.criterion=taylor", "prune.batches=2", "prune.steps=3")
    whole, stopped = (
        Run("train_prune", replace(PUBLISHED, epochs=6), tmp_path / name, more=(*TEACHER, *choice))
        for name in ("whole", "stopped")
    )
    whole.start()
    pruned = read(whole.folder / "pruned.tar")
    parts = [read(whole.folder / f"checkpoint_prune{k}.tar")["training"] for k in ("", 2)]
    assert [part["step"] for part in parts] == [8, 8]  # two epochs each
    assert [part["options"]["seed"] for part in parts] == [0, 2**32]  # other samples
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        breaking_at(2 + 8 + 2 + 6, patch)  # in the last epoch of the second part
        stopped.start()
    assert not (stopped.folder / "pruned.tar").exists()
    stopped.start("--resume")
    again = read(stopped.folder / "pruned.tar")
    assert again["keep"] == pruned["keep"]
    same(again["weights"], pruned["weights"])
    with pytest.raises(AssertionError):  # these are trained
        same(plain_cut.cut(teacher(), pruned["keep"]), pruned["weights"])


@pytest.mark.parametrize("criterion", ["ns", "magnitude"])
def test_of_candidates_that_are_trained_the_best_by_validation_is_kept(place, tmp_path, criterion):
    shares = (0.9, 0.1, 0.5)
    choice = (f"prune.criterion={criterion}", f"prune.candidates={list(shares)}", "prune.rate=0.6")
    Run("train_prune", replace(PUBLISHED, epochs=2), tmp_path, more=(*TEACHER, *choice)).start()
    found = [read(tmp_path / f"checkpoint_candidate{k}.tar") for k in (1, 2, 3)]
    full = read(Path("teacher/BEST_checkpoint.tar"))["plan"]
    for share, one in zip(shares, found, strict=True):
        least = min(one["plan"][group] / full[group] for group in full)
        assert least >= share and one["training"]["step"] == 4
    best = min(found, key=lambda one: one["training"]["best"])
    pruned = read(tmp_path / "pruned.tar")
    same(pruned["weights"], best["weights"])
    assert {group: len(kept) for group, kept in pruned["keep"].items()} == best["plan"]


@pytest.mark.parametrize(
    ("settings", "start"), [(PUBLISHED, "scratch"), (OTHER, "inherit")], ids=["published", "other"]
)
def test_the_cut_network_learns(place, pruned, tmp_path, settings, start):
    shutil.copy(pruned / "pruned.tar", tmp_path)
    run = Run("train_pruned", settings, tmp_path, more=(*TEACHER, f"prune.weights={start}"))
    run.start()
    inherited = read(pruned / "pruned.tar")["weights"]
    torch.manual_seed(settings.seed)
    weights = inherited if start == "inherit" else drawn_anew(settings, pruned)
    run.ends_as(run.reference(weights, teacher()))


def start_of(script: str, s: Settings, pruned: Path) -> tuple[Weights, Weights | None, bool]:
    """Weights, teacher and whether it is the pruning stage."""
    if script == "train":
        return fresh(s), None, False
    if script == "train_prune":
        return opened(s), teacher(), True
    return drawn_anew(s, pruned), teacher(), False


@pytest.mark.parametrize("script", LAST)
def test_a_resumed_training_goes_on_from_where_it_was(place, pruned, tmp_path, script):
    """Its second epoch has another rate: a training from the start would end elsewhere."""
    more = ("network.width=0.0625",) if script == "train" else TEACHER
    run = Run(script, replace(PUBLISHED, epochs=1), tmp_path, more=more)
    if script == "train_pruned":
        shutil.copy(pruned / "pruned.tar", tmp_path)
    with pytest.raises(InputError, match=LAST[script]):
        run.start("--resume")
    run.start()
    run.settings = PUBLISHED
    run.start("train.lr=0.002", "--resume")  # of 0.01
    run.settings = replace(PUBLISHED, schedule="step", milestones=(0.5,), decay=0.2)
    run.ends_as(run.reference(*start_of(script, PUBLISHED, pruned)))


def test_what_breaks_leaves_the_last_checkpoint_that_was_due(place, tmp_path, monkeypatch):
    settings = replace(PUBLISHED, epochs=5, validate_every=2)
    run = Run("train_prune", settings, tmp_path, more=(*TEACHER, "train.save_every=2"))
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        breaking_at(4 * 3 + 1, patch)
        run.start()
    run.settings = replace(PUBLISHED, validate_every=2)
    run.ends_as(run.reference(opened(PUBLISHED), teacher(), pruning=True))


def breaking_at(step: int, patch: pytest.MonkeyPatch) -> None:
    forward, steps = Objective.forward, iter(range(1, step))

    def counted(self: Objective, batch: object) -> object:
        if next(steps, None) is None:
            raise ZeroDivisionError
        return forward(self, batch)

    patch.setattr(Objective, "forward", counted)
