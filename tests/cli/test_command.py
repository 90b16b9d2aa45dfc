"""How every script starts and ends: packages, help, usage errors, one line and exit code 2."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.errors import InputError
from tests import scripts
from tests.refusals import refused
from tests.scripts import REPOSITORY, refusal
from utils import config as configs
from utils.cli import command
from utils.cli.arguments import CONFIGS
from utils.cli.command import error_message, missing_packages, run
from utils.cli.table import table
from utils.networks.loading import open_pruned, open_teacher, trained_networks

SCRIPTS = sorted(path.name for path in REPOSITORY.glob("*.py") if "run(main)" in path.read_text())


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "NEEDED", ("numpy", "no_such_package"))
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    assert "has no package no_such_package; run make demo" in missing_packages()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".runs").touch()
    assert f"they are in .venv: run . {tmp_path}/.venv/bin/activate" in missing_packages()


def test_every_package_that_is_needed_is_required():
    names = {"cv2": "opencv-python-headless", "yaml": "pyyaml", "PIL": "pillow"}
    required = (REPOSITORY / "requirements.txt").read_text()
    for name in command.NEEDED:
        assert f"\n{names.get(name, name)}>=" in required
    assert missing_packages() == ""


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_needs_no_package_to_say_so(script):
    words = [sys.executable, "-S", str(REPOSITORY / script), "--help"]  # -S: no packages
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
    assert "has no package torch, " in ended.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_has_an_example_and_says_what_is_read_and_written(script, capsys):
    with pytest.raises(SystemExit, match="0"):
        scripts.main(script, "--help")
    printed = capsys.readouterr().out
    assert f"    python {script} " in printed
    assert "Reads " in printed and "Writes " in printed


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("data_gen.py --seed", "argument --seed: expected one argument; see --help"),
        ("test.py --mode fast", "argument --mode: invalid choice: 'fast'"),
        ("train.py --resume --overwrite", "argument --overwrite: not allowed with argument"),
    ],
)
def test_what_argparse_refuses_is_one_line(line, told, capsys):
    with pytest.raises(SystemExit, match="2"):
        scripts.main(*line.split())
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {told}") and printed.count("\n") == 1


def test_a_script_finds_its_packages_under_a_safe_path():
    words = [sys.executable, str(REPOSITORY / "data_gen.py"), "--help"]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    line = "\nsys.path.insert(0, str(Path(__file__).parent))"
    assert all(line in (REPOSITORY / script).read_text() for script in SCRIPTS)


def test_flags_of_distillation_without_a_teacher_are_refused():
    config = CONFIGS / "sample.yaml"
    for flag, value in (("KD_type", "spatial"), ("feature_layer", "[1]"), ("KD_weight", "[1,1]")):
        told = refusal("train.py", "--config", config, f"--{flag}", value)
        assert told == (
            f"--{flag}: {config} names no teacher to imitate; add teacher=FILE, or leave it out"
        )


def test_messages_hold_the_whole_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ("data.root=my data", "data.dataset=set", "train.lr=0.1")
    words = "'data.root=my data' data.dataset=set"
    student = configs.load(CONFIGS / "student_SPKD.yaml", given)
    assert "train one with train.py and its config, or set" in refused(open_teacher, student)
    told = f"with python train.py --config {CONFIGS}/student_SPKD.yaml {words} train.lr=0.1, or"
    assert told in refused(trained_networks, student)
    Path("own.yaml").write_text("save_dir: own")
    own = configs.load(tmp_path / "own.yaml", given)
    words = f"--config own.yaml {words} train.lr=0.1"
    assert f"train one with python train.py {words}, or set teacher" in refused(open_teacher, own)
    assert f"run python train_prune.py {words} first" in refused(open_pruned, own)


def test_the_scripts_of_one_path_have_one_config_and_train_says_how_to_score_its_own():
    defaults = {}
    for script in ("train.py", "train_prune.py", "train_pruned.py", "test.py"):
        source = (REPOSITORY / script).read_text(encoding="utf-8")
        (defaults[script],) = re.findall(r'"(\w+_SPKD\.yaml)"', source)
    assert defaults.pop("train.py") == "student_SPKD.yaml"  # whose flags it has
    assert set(defaults.values()) == {"train_SPKD.yaml"}


def test_a_missing_data_set_is_told_before_weights_are_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **__: 1 / 0)
    told = refusal("train.py", "--config", CONFIGS / "train_SPKD.yaml")
    assert told.startswith("data/Composition-1k/train: no such folder")


def raising(function):
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: Path("/none").stat(), "/none: No such file or directory; check the path"),
        (lambda: np.empty(10**15), "out of memory; take smaller"),
        (lambda: torch.empty(10**15), "out of memory; take smaller"),
        (
            lambda: cv2.resize(np.zeros((9, 9), np.uint8), (2**23, 2**23)),
            "out of memory; take smaller",
        ),
    ],
    ids=["missing", "numpy", "torch", "opencv"],
)
def test_what_the_system_refuses_is_one_line_that_names_it(function, words):
    line = error_message(raising(function))
    assert line.startswith(words) and "\n" not in line


@pytest.mark.parametrize(
    "function",
    [
        lambda: {}["key"],
        lambda: torch.zeros(2) + torch.zeros(3),
        lambda: cv2.resize(np.zeros((0, 0), np.uint8), (4, 4)),
    ],
    ids=["lookup", "torch", "opencv"],
)
def test_a_fault_of_the_program_shows_its_traceback(function):
    assert error_message(raising(function)) is None
    with pytest.raises(type(raising(function))):
        run(function)


def test_the_exit_code_is_2(caplog):
    def fail():
        raise InputError("x: y")

    with pytest.raises(SystemExit, match="2"):
        run(fail)
    assert caplog.messages == ["error: x: y"]


def test_a_bar_in_a_name_does_not_end_its_cell():
    header, _, row = table(("name", "SAD"), [("a|b", 1)]).splitlines()
    assert row == r"| a\|b |   1 |" and len(header) == len(row)


def test_names_that_the_terminal_cannot_show_are_written_with_escapes(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    run(lambda: print("K\u00e4fer \udcff"))
    assert written.getvalue() == b"K\\xe4fer \\udcff\n"


@pytest.mark.parametrize(
    ("closing", "code", "words"),
    [
        (">&- 2>&-", 0, b""),  # as cron may
        ("| head -c 0", 2, b"error: standard output was closed before all was written\n"),
        ("> /dev/full", 2, b"error: No space left on device\n"),
    ],
)
def test_an_output_that_takes_no_more_is_one_line(closing, code, words):
    program = (
        "from utils.cli.command import run\n"
        "from utils.cli.progress import progress_bar\n"
        "run(lambda: [progress_bar(range(3)).write('x' * 1000000), print('y')])\n"
    )
    line = f'"{sys.executable}" -c "$PROGRAM" {closing}; exit ${{PIPESTATUS[0]}}'
    environment = {**os.environ, "PROGRAM": program}
    ended = subprocess.run(
        ["bash", "-c", line], cwd=REPOSITORY, env=environment, capture_output=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (code, words)
