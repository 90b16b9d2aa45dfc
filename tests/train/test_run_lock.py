"""What a training script writes is its own: nothing that is read, nothing that is there, alone."""

import re

import pytest

from tests.refusals import refused
from tests.scripts import refusal
from utils import config as configs
from utils.cli.files import folder_lock
from utils.train.checkpoint import run_lock

NAMES = ("checkpoint.tar", "BEST_checkpoint.tar")


def claim(config, **options) -> None:
    with run_lock(config, NAMES, **options):
        pass


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return configs.load(None, ["save_dir=here"])


def test_what_is_there_is_kept_unless_it_is_resumed_or_given_up(config):
    claim(config)
    assert not config.folder.exists()
    for name in NAMES:
        config.folder.mkdir(parents=True, exist_ok=True)
        (config.folder / name).write_text("a training")
        line = refused(claim, config)
        assert re.match(r"result/here/(BEST_)?checkpoint\.tar: is there already; .*--resume", line)
        assert "--overwrite" in line and "save_dir" in line
        claim(config, resume=True)
        claim(config, overwrite=True)
        (config.folder / name).unlink()


@pytest.mark.parametrize(
    ("key", "way"),
    [
        ("teacher", "result/here"),
        ("network.start", "result/../result/here"),
        ("network.pretrained", "link"),
    ],
)
def test_nothing_that_is_read_is_written(config, tmp_path, key, way):
    config.folder.mkdir(parents=True)
    (config.folder / NAMES[0]).write_text("a network")
    (tmp_path / "link").symlink_to(config.folder, target_is_directory=True)
    config = configs.load(None, ["save_dir=here", f"{key}={way}/checkpoint.tar"])
    for options in ({}, {"overwrite": True}, {"resume": True}):
        line = refused(claim, config, **options)
        assert line.startswith(f"{key}: {way}/checkpoint.tar would be overwritten")


def test_the_pruned_network_is_no_teacher_of_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("save_dir=here", "teacher=result/here/pruned.tar", "--overwrite")
    assert "pruned.tar would be overwritten" in refusal("train_prune.py", *arguments)


def test_two_trainings_never_share_a_folder(config):
    with folder_lock(config.folder, "training"):
        assert "result/here: another process is training" in refused(claim, config)
    claim(config)
