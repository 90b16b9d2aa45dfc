"""To resume, a training must be the same: options that it uses, teacher, data. What may change."""

import re
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from models.errors import InputError
from models.files import saving as files
from tests.sets import picture
from tests.trainings import tiny_config, tiny_network, tiny_training
from utils.images.writing import write_image
from utils.prune import Sparsity


@pytest.fixture(scope="module", params=[5, None], ids=["taught", "alone"])
def finished(request, data, tmp_path_factory) -> tuple[Path, int | None]:
    """The folder of a finished training and the seed of its teacher, if it has one."""
    folder = tmp_path_factory.mktemp("finished")
    tiny_training(tiny_config(data), folder, teacher_seed=request.param).fit()
    return folder, request.param


def resume(data: Path, folder: Path, *overrides: str, teacher: int | None = None, sparsity=False):
    training = tiny_training(tiny_config(data, *overrides), folder, teacher_seed=teacher)
    if sparsity:
        training.sparsity = Sparsity(training.network, 1e-5, 10)
    training.fit(resume=True)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.crop=48", "data.crop was 32 and is now 48"),
        ("train.batch_size=2", "train.batch_size was 3 and is now 2"),
        ("train.optimizer=adamw", "train.optimizer was adam and is now adamw"),
        ("train.frozen=[encoder]", "train.frozen was () and is now ('encoder',)"),
        ("seed=1", "seed was 0 and is now 1"),
        ("train.epochs=1", "has done 8 steps, more than the 4 of train.epochs"),
        ("loss.alpha=2", "loss.alpha was 1.0 and is now 2"),
    ],
)
def test_another_training_is_refused(finished, data, override, words):
    folder, teacher = finished
    with pytest.raises(InputError, match=re.escape(words)):
        resume(data, folder, override, teacher=teacher)


@pytest.mark.parametrize(
    "override",
    [
        *("distill.types=[batch]", "distill.views=mirror"),
        *("loss.alpha_teacher=2", "loss.kd=0", "loss.temperature=2"),
    ],
)
def test_options_of_a_teacher_decide_where_there_is_one(finished, data, override):
    folder, teacher = finished
    told = nullcontext()
    if teacher is not None:
        told = pytest.raises(InputError, match=f"{override.partition('=')[0]} was")
    with told:
        resume(data, folder, override, teacher=teacher)


@pytest.mark.parametrize(
    "override",
    [
        *("data.workers=1", "train.lr=0.1", "prune.rate=0.3", "prune.sparsity=1"),
        *("network.width=3", "distill.cwd_temperature=1"),  # of what is not used
    ],
)
def test_what_leaves_samples_and_loss_alone_may_change(finished, data, override):
    folder, teacher = finished
    resume(data, folder, override, teacher=teacher)


def test_another_teacher_or_none_is_refused(finished, data):
    folder, teacher = finished
    for other in {None, 5, 6} - {teacher}:
        with pytest.raises(InputError, match="trained with another teacher than this run"):
            resume(data, folder, teacher=other)


@pytest.fixture
def begun(data, tmp_path) -> Path:
    """The folder of a pruning stage of one epoch."""
    training = tiny_training(tiny_config(data, "train.epochs=1"), tmp_path)
    training.sparsity = Sparsity(training.network, 1e-5, 10)
    training.fit()
    return tmp_path


def test_another_sparsity_of_a_pruning_stage_is_refused(data, begun):
    resume(data, begun, "prune.rate=0.3", sparsity=True)
    with pytest.raises(InputError, match=r"prune\.sparsity was 1e-05 and is now 0\.1"):
        resume(data, begun, "prune.sparsity=0.1", sparsity=True)


def test_other_data_are_refused_and_moved_ones_are_not(data, begun, tmp_path):
    moved = Path(shutil.copytree(data, tmp_path / "elsewhere" / data.name))
    resume(moved, begun, sparsity=True)
    write_image(moved / "train" / "bg" / "new.png", picture(9, 64, 80))
    with pytest.raises(InputError, match="trained with another set of backgrounds than this run"):
        resume(moved, begun, sparsity=True)
    (moved / "train" / "bg" / "new.png").unlink()
    train, valid = (moved / f"{part}_names.txt" for part in ("train", "valid"))
    names = train.read_text().splitlines()
    train.write_text("\n".join([*names[1:], *valid.read_text().splitlines()]))
    valid.write_text(names[0])
    with pytest.raises(InputError, match="trained with another split of the data than this run"):
        resume(moved, begun, sparsity=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found.pop("options"), "saved by another version"),
        (lambda found: found.pop("random_state"), "saved by another version"),
        (lambda found: found["options"].update({"loss.new": 2}), "was 2 and is now not used"),
        (lambda found: found["options"].update({"augment.gamma": 0.5}), "gamma was 0.5 and"),
        (lambda found: found["options"].pop("data.trimap"), None),  # it had its default
    ],
)
def test_options_of_another_version_are_refused_unless_they_were_defaults(
    data, begun, change, words
):
    found = files.read(begun / "checkpoint.tar")
    change(found["training"])
    files.save(begun / "checkpoint.tar", found)
    with pytest.raises(InputError, match=words) if words else nullcontext():
        resume(data, begun, sparsity=True)


def test_a_resumed_training_says_that_its_rate_jumps_and_keeps_its_threads(data, begun, caplog):
    caplog.set_level("INFO")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        resume(data, begun, "train.lr=0.02", sparsity=True)
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)
    assert "the learning rate was 0.01 and goes on at 0.02: " in caplog.text
    assert f"goes on with {before} threads, as before" in caplog.text


def test_what_holds_no_such_training_is_refused(data, begun, tmp_path):
    other = tiny_training(tiny_config(data), begun)
    other.objective.network = tiny_network(width=1 / 16)
    with pytest.raises(InputError, match=r"checkpoint\.tar: its network has another plan"):
        other.fit(resume=True)
    other.best.unlink()
    with pytest.raises(InputError, match=f"{other.best}: gone"):
        resume(data, begun, sparsity=True)
    files.save_network(other.last, tiny_network())
    with pytest.raises(InputError, match="no interrupted training; begin anew with --overwrite"):
        resume(data, begun)
    with pytest.raises(InputError, match=r"no training there .* without --resume"):
        resume(data, tmp_path / "empty")
