"""What a command line can name as a network."""

import pytest

import models
from models.errors import InputError
from models.files import saving as files
from tests.refusals import refused
from utils import config as configs
from utils.networks import loading as networks


def tiny(width: float = 1 / 64):
    return models.build("dim", models.scaled_plan("dim", width))


def test_a_shipped_network_is_found_by_name_and_a_file_by_path(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PRETRAINED", tmp_path / "pretrained")
    files.save_network(tmp_path / "pretrained" / "small.safetensors", tiny())
    files.save_network(tmp_path / "mine.tar", tiny())
    assert models.load("small").name == "dim"
    assert models.load(str(tmp_path / "mine.tar")).name == "dim"
    with pytest.raises(InputError, match=r"large: no such checkpoint file, .* shipped are small"):
        models.load("large")


def test_a_shipped_network_is_a_teacher_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "PRETRAINED", tmp_path / "pretrained")
    files.save_network("pretrained/large.safetensors", tiny())
    config = configs.load(None, ["save_dir=here", "teacher=large"])
    assert networks.open_teacher(config).name == "dim"
    found = str(tmp_path / "pretrained" / "large.safetensors")
    assert networks.trained_networks(config) == {"teacher": found}


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


def test_a_network_that_was_trained_from_another_pruned_one_is_not_scored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = configs.load(None, ["save_dir=here"])
    folder = tmp_path / "result" / "here"
    files.save_network(folder / "pruned.tar", tiny())
    _, origin = networks.open_pruned(config)
    noted = {"training": {"content": {**origin, "teacher": "some"}}}
    files.save(folder / "BEST_pruned.tar", files.record(tiny()) | noted)
    assert list(networks.trained_networks(config)) == ["pruned"]
    for other in (tiny(), tiny(1 / 32)):  # of the same widths, and of others
        files.save_network(folder / "pruned.tar", other)
        line = refused(networks.trained_networks, config)
        assert line.startswith("result/here/BEST_pruned.tar: was not trained from the pruned.tar")
        assert "run python train_pruned.py save_dir=here --overwrite, or name what" in line
    (folder / "pruned.tar").unlink()
    assert list(networks.trained_networks(config)) == ["pruned"]
