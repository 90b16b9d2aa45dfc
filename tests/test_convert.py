"""convert.py: any checkpoint becomes the file of a network alone."""

import torch

import models
from models import files
from tests import scripts
from tests.trainings import tiny_config, tiny_network, tiny_training


def test_a_training_checkpoint_becomes_a_shipped_file(data, tmp_path, capsys):
    training = tiny_training(tiny_config(data, "train.epochs=1"), tmp_path)
    training.fit()
    scripts.main("convert.py", training.best, tmp_path / "one.safetensors", "--half")
    assert f"{tmp_path / 'one.safetensors'}: 0." in capsys.readouterr().out
    ours, theirs = models.load(tmp_path / "one.safetensors"), models.load(training.best)
    assert ours.plan == theirs.plan and ours.structure == theirs.structure
    torch.testing.assert_close(
        ours.decoder1.conv.weight, theirs.decoder1.conv.weight, rtol=1e-3, atol=1e-6
    )


def test_what_is_no_checkpoint_is_refused_and_nothing_is_written(tmp_path):
    (tmp_path / "no.tar").write_bytes(b"nothing")
    line = scripts.refusal("convert.py", tmp_path / "no.tar", tmp_path / "out.safetensors")
    assert "no.tar: truncated, or no checkpoint" in line
    assert not (tmp_path / "out.safetensors").exists()
    files.save_network(tmp_path / "yes.tar", tiny_network())
    line = scripts.refusal("convert.py", tmp_path / "yes.tar", tmp_path)
    assert "is a folder; name a file" in line
