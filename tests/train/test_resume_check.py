"""To resume, a training must be the same: options that it uses, teacher, data. What may change."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from models.errors import InputError
from models.files import saving as files
from tests.sets import picture
from tests.trainings import tiny_config, tiny_network, tiny_training
from utils.images.writing import write_image
from utils.prune import Sparsity


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    """The folder of a finished training under a teacher."""
    folder = tmp_path_factory.mktemp("finished")
    tiny_training(tiny_config(data), folder, teacher_seed=5).fit()
    return folder


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory) -> Path:
    """The folder of a finished training without a teacher."""
    folder = tmp_path_factory.mktemp("alone")
    tiny_training(tiny_config(data), folder).fit()
    return folder


def resume(data: Path, folder: Path, *overrides: str, teacher: int | None = 5, sparsity=False):
    training = tiny_training(tiny_config(data, *overrides), folder, teacher_seed=teacher)
    if sparsity:
        training.sparsity = Sparsity(training.network, 1e-5, 10)
    training.fit(resume=True)


def test_a_training_whose_best_network_is_gone_is_not_gone_on_with(finished, data, tmp_path):
    shutil.copytree(finished, tmp_path / "a")
    best = tmp_path / "a/BEST_checkpoint.tar"
    best.unlink()
    with pytest.raises(InputError, match=f"{best}: gone"):
        resume(data, tmp_path / "a")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.crop=48", "data.crop was 32 and is now 48"),
        ("train.batch_size=2", "train.batch_size was 3 and is now 2"),
        ("train.optimizer=adamw", "train.optimizer was adam and is now adamw"),
        ("train.frozen=[encoder]", "train.frozen was () and is now ('encoder',)"),
        ("distill.types=[batch]", "distill.types was"),
        ("loss.alpha_teacher=2", "loss.alpha_teacher was 1.0 and is now 2"),
        ("loss.kd=0", "loss.kd was 1.0 and is now 0"),
        ("seed=1", "seed was 0 and is now 1"),
        ("train.epochs=1", "has done 8 steps, more than the 4 of train.epochs"),
    ],
)
def test_another_training_is_refused(finished, data, override, words):
    with pytest.raises(InputError, match=re.escape(words)):
        resume(data, finished, override)


@pytest.mark.parametrize(
    "override",
    [
        *("data.workers=1", "train.lr=0.1", "prune.rate=0.3", "prune.sparsity=1"),
        "distill.cwd_temperature=1",  # of a kind that is not used
    ],
)
def test_what_leaves_samples_and_loss_alone_may_change(finished, data, override):
    resume(data, finished, override)


@pytest.mark.parametrize(
    "override", ["distill.types=[batch]", "loss.alpha_teacher=2", "loss.kd=0", "network.width=3"]
)
def test_without_a_teacher_its_options_are_not_looked_at(alone, data, override):
    resume(data, alone, override, teacher=None)


@pytest.mark.parametrize("teacher", [6, None])
def test_another_teacher_is_refused(finished, data, teacher):
    with pytest.raises(InputError, match="trained with another teacher than this run"):
        resume(data, finished, teacher=teacher)


def test_another_sparsity_of_a_pruning_stage_is_refused(data, tmp_path):
    training = tiny_training(tiny_config(data, "train.epochs=1"), tmp_path)
    training.sparsity = Sparsity(training.network, 1e-5, 10)
    training.fit()
    resume(data, tmp_path, "prune.rate=0.3", teacher=None, sparsity=True)
    with pytest.raises(InputError, match=r"prune\.sparsity was 1e-05 and is now 0\.1"):
        resume(data, tmp_path, "prune.sparsity=0.1", teacher=None, sparsity=True)


def test_other_data_are_refused_and_moved_ones_are_not(data, alone, tmp_path):
    moved = Path(shutil.copytree(data, tmp_path / "elsewhere" / data.name))
    resume(moved, alone, teacher=None)
    write_image(moved / "train" / "bg" / "new.png", picture(9, 64, 80))
    with pytest.raises(InputError, match="trained with another set of backgrounds than this run"):
        resume(moved, alone, teacher=None)
    (moved / "train" / "bg" / "new.png").unlink()
    train, valid = (moved / f"{part}_names.txt" for part in ("train", "valid"))
    names = train.read_text().splitlines()
    train.write_text("\n".join([*names[1:], *valid.read_text().splitlines()]))
    valid.write_text(names[0])
    with pytest.raises(InputError, match="trained with another split of the data than this run"):
        resume(moved, alone, teacher=None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found.pop("options"), "saved by another version"),
        (lambda found: found.pop("random_state"), "saved by another version"),
        (
            lambda found: found["options"].update({"loss.new": 2}),
            "loss.new was 2 and is now not used",
        ),
        (
            lambda found: found["options"].update({"augment.gamma": 0.5}),
            "gamma was 0.5 and",
        ),
    ],
)
def test_defaults_of_another_version_are_refused(data, alone, tmp_path, change, words):
    content = files.read(alone / "checkpoint.tar")
    change(content["training"])
    files.save(tmp_path / "checkpoint.tar", content)
    with pytest.raises(InputError, match=words):
        resume(data, tmp_path, teacher=None)


def test_an_option_that_is_newer_than_the_checkpoint_had_its_default(data, alone, tmp_path):
    shutil.copy(alone / "BEST_checkpoint.tar", tmp_path)
    content = files.read(alone / "checkpoint.tar")
    del content["training"]["options"]["data.trimap"]
    files.save(tmp_path / "checkpoint.tar", content)
    with pytest.raises(InputError, match=r"data\.trimap was varied and is now narrow"):
        resume(data, tmp_path, "data.trimap=narrow", teacher=None)
    resume(data, tmp_path, teacher=None)


def test_a_rate_that_jumps_is_told(data, alone, tmp_path, caplog):
    shutil.copytree(alone, tmp_path, dirs_exist_ok=True)
    caplog.set_level("INFO")
    resume(data, tmp_path, "train.epochs=3", "train.lr=0.02", teacher=None)
    assert "the learning rate was 0.01 and goes on at 0.02: " in caplog.text


def test_a_resumed_training_has_the_threads_of_before(data, tmp_path, caplog):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        tiny_training(tiny_config(data, "train.epochs=1"), tmp_path).fit()
        torch.set_num_threads(3)
        with caplog.at_level("INFO"):
            tiny_training(tiny_config(data), tmp_path).fit(resume=True)
        assert torch.get_num_threads() == 1
        assert "goes on with 1 threads, as before" in caplog.text
    finally:
        torch.set_num_threads(before)


def test_a_network_of_another_plan_or_a_file_without_training_is_refused(data, tmp_path):
    training = tiny_training(tiny_config(data, "train.epochs=1"), tmp_path)
    files.save_network(training.last, tiny_network())
    with pytest.raises(InputError, match="no interrupted training; begin anew with --overwrite"):
        training.fit(resume=True)
    training.fit()
    other = tiny_training(training.config, tmp_path)
    other.objective.network = tiny_network(width=1 / 16)
    with pytest.raises(InputError, match=r"checkpoint\.tar: its network has another plan"):
        other.fit(resume=True)
    with pytest.raises(InputError, match=r"no training there .* without --resume"):
        tiny_training(training.config, tmp_path / "empty").fit(resume=True)
