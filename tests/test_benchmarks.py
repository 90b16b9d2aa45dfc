"""Every benchmark runs and prints lines of JSON; of their numbers nothing is asked."""

import importlib
import json
import math
import subprocess
import sys

import cv2
import pytest
import torch

from tests.scripts import REPOSITORY

NAMES = sorted(
    path.stem
    for path in (REPOSITORY / "benchmarks").glob("*.py")
    if "__main__" in path.read_text(encoding="utf-8")
)
OPTIONS = {"loader": ("--foregrounds", "2")}


@pytest.fixture(autouse=True)
def threads():
    """What benchmarks set for their own process."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def main(name: str, *arguments: str) -> None:
    importlib.import_module(f"benchmarks.{name}").main(arguments)


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_prints_named_numbers_with_units(name, capsys):
    main(name, "--toy", *OPTIONS.get(name, ()))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines
    for line in lines:
        assert list(line) == ["name", "value", "unit"] and line["unit"]
        assert math.isfinite(line["value"])
    names = [line["name"] for line in lines]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", NAMES)
def test_help_and_wrong_options_need_no_package(name):
    script = str(REPOSITORY / "benchmarks" / f"{name}.py")
    for option, code in (("--help", 0), ("--none", 2)):
        command = [sys.executable, "-S", script, option]  # -S: no packages
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == code, ended.stderr
    assert "unrecognized arguments: --none" in ended.stderr


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("loader", ("--foregrounds", "1")),
        ("tiles", ("--network", "file")),
        ("tiles", ("--pictures", "folder")),
        ("tiles", ("--large", "--sizes")),
        ("metrics", ("--tiny",)),
        ("distillation", ("--repeats", "0")),
    ],
)
def test_options_that_cannot_be_are_refused(name, arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(name, *arguments)
    assert "error: " in capsys.readouterr().err
