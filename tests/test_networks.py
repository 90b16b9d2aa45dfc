"""What a command line can name as a network."""

import pytest

import models
from models import files
from models.errors import InputError
from utils import config as configs
from utils import networks


def tiny():
    return models.build("dim", models.scaled_plan("dim", 1 / 64))


def test_a_shipped_network_is_found_by_name_and_a_file_by_path(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "PRETRAINED", tmp_path / "pretrained")
    files.save_network(tmp_path / "pretrained" / "small.safetensors", tiny())
    files.save_network(tmp_path / "mine.tar", tiny())
    assert networks.open_network("small").name == "dim"
    assert networks.open_network(str(tmp_path / "mine.tar")).name == "dim"
    with pytest.raises(InputError, match=r"large: no such checkpoint file, .* shipped are small"):
        networks.open_network("large")


def test_labels_tell_networks_apart_or_are_refused():
    assert networks.named_networks(["small", "result/a/BEST_pruned.tar"]) == {
        "small": "small",
        "a-BEST_pruned": "result/a/BEST_pruned.tar",
    }
    with pytest.raises(InputError, match=r"are both called a-x; rename one"):
        networks.named_networks(["one/a/x.tar", "two/a/x.tar"])


def test_a_config_names_teacher_student_and_pruned_as_far_as_they_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = configs.load(None, ["save_dir=here"])
    with pytest.raises(InputError, match=r"neither BEST_checkpoint\.tar nor BEST_pruned\.tar"):
        networks.trained_networks(config)
    files.save_network("result/here/BEST_checkpoint.tar", tiny())
    files.save_network("result/here/BEST_pruned.tar", tiny())
    assert list(networks.trained_networks(config)) == ["teacher", "pruned"]
    files.save_network("teacher.tar", tiny())
    config = configs.load(None, ["save_dir=here", "teacher=teacher.tar"])
    assert list(networks.trained_networks(config)) == ["teacher", "student", "pruned"]
