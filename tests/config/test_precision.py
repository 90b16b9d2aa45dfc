"""`train.precision: auto` takes what the device has in hardware, and imitated bfloat16 warns."""

import logging

import pytest
import torch

from tests.trainings import tiny_config, tiny_training
from utils.cli.problems import warn_once
from utils.networks import device
from utils.networks.device import training_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(("native", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_where_the_device_has_it(monkeypatch, native, precision):
    monkeypatch.setattr(device, "has_bfloat16", lambda _: native)
    assert training_precision("auto", CPU) == precision
    assert training_precision("float32", CPU) == "float32"


def test_asking_for_what_is_imitated_warns_once(monkeypatch, caplog):
    warn_once.cache_clear()
    monkeypatch.setattr(device, "has_bfloat16", lambda _: False)
    assert training_precision("bfloat16", CPU) == training_precision("bfloat16", CPU) == "bfloat16"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "imitates bfloat16" in caplog.text


def test_a_training_says_its_precision_first(data, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(device, "has_bfloat16", lambda _: False)
    tiny_training(tiny_config(data, "train.precision=auto", "train.epochs=1"), tmp_path).fit()
    (line,) = [line for line in caplog.messages if "epochs of" in line]
    assert line.endswith("on cpu in float32")
