"""convert.py: any checkpoint becomes the file of a network alone."""

import pytest
import torch

import models
from models import files
from tests import pickles, scripts
from tests.pickles import name, text
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


HARM = name("os", "system") + text("touch harm-done") + b"\x85R"
BEHIND = name("builtins", "getattr") + name("os", "path") + text("os") + b"\x86R"


@pytest.mark.parametrize("write", [pickles.in_zip, pickles.in_old_format])
@pytest.mark.parametrize(
    "program",
    [
        HARM,
        BEHIND,
        name("posix", "system") + text("touch harm-done") + b"\x85R",
        b"(" + text("touch harm-done") + b"ios\nsystem\n",
        b"}" + text("state_dict") + b"}" + text("conv1_1.weight") + HARM + b"ss",
        b"}" + text("model") + name("torch.nn", "Module") + b")\x81" + HARM + b"bs",
        name("torch.nn", "Module") + b")\x81}" + text("__reduce__") + name("os", "system") + b"sb",
    ],
)
def test_nothing_in_a_file_is_run(tmp_path, monkeypatch, write, program):
    monkeypatch.chdir(tmp_path)
    line = scripts.refusal("convert.py", write(tmp_path / "evil.tar", program), "out.safetensors")
    assert line.startswith(f"{tmp_path / 'evil.tar'}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.tar"]
