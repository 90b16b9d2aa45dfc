"""Every benchmark runs and prints lines of JSON, one a table; of times nothing is asked."""

import importlib
import json
import math
import multiprocessing

import cv2
import pytest
import torch

import models
from benchmarks import networks
from models.registry import NETWORKS
from tests.scripts import REPOSITORY
from utils.networks import cost

NAMES = sorted(
    path.stem
    for path in (REPOSITORY / "benchmarks").glob("*.py")
    if "__main__" in path.read_text(encoding="utf-8")
)
OPTIONS = {"loader": ("--foregrounds", "2"), "networks": ("--networks", "pspnet")}


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    """What benchmarks set for their own process; those that they start need not import anew."""
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr("benchmarks.timing.multiprocessing.get_context", lambda _: fork)
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def main(name: str, *arguments: str) -> None:
    importlib.import_module(f"benchmarks.{name}").main(arguments)


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_prints_named_numbers_with_units(name, capsys):
    main(name, "--toy", *OPTIONS.get(name, ()))
    printed = capsys.readouterr().out.splitlines()
    assert any(line.startswith("|") for line in printed) == (name == "networks")
    lines = [json.loads(line) for line in printed if not line.startswith("|")]
    assert lines
    for line in lines:
        assert list(line) == ["name", "value", "unit"] and line["unit"]
        assert math.isfinite(line["value"])
    names = [line["name"] for line in lines]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("loader", ("--foregrounds", "1")),
        ("tiles", ("--large", "--network", "small")),
        ("parts", ("--tiny",)),
        ("networks", ("--sizes", "1080")),
        ("networks", ("--sizes", "0x8")),
    ],
)
def test_options_that_cannot_be_are_refused(name, arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(name, *arguments)
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("name", NETWORKS)
def test_of_every_network_the_pruned_one_is_measured_too(name):
    full, pruned = networks.full_and_pruned(name, width=1 / 4)
    kept = 0.75 if name == "indexnet" else 0.5
    assert full.plan == models.scaled_plan(name, 1 / 4)
    for group, width in full.plan.items():
        assert abs(pruned.plan[group] - kept * width) <= 4 or width <= 8
        assert pruned.plan[group] % 8 == 0 or pruned.plan[group] == width
    assert not full.training and not pruned.training


def test_the_table_has_what_was_measured_and_how_much_of_the_macs_is_time():
    both = networks.full_and_pruned("mobile_unet", width=1 / 4)
    pair = networks.Pair(
        networks.Pass(300, 1.5, 0.8, 2 * 10**9), networks.Pass(100, 0.75, 0.5, 10**6)
    )
    *rows, ratios = networks.table_rows(both, [pair])
    parameters = [cost.parameters(network) for network in both]
    assert [row[1] for row in rows] == [f"{count:,}" for count in parameters]
    assert [row[3] for row in rows] == ["1500 ms (80%), 2000 MB", "750 ms (50%), 1 MB"]
    assert ratios[1] == f"{parameters[0] / parameters[1]:.2f}"
    assert ratios[3] == "2.00 (0.67)"  # three times fewer MACs
