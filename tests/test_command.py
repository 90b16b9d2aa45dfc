"""What every script does before its work: packages, threads, help, and usage errors at once."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import scripts
from tests.refusals import refused
from tests.scripts import REPOSITORY, refusal
from utils.cli import packages, threads
from utils.cli.arguments import CONFIGS
from utils.cli.command import run

SCRIPTS = sorted(path.name for path in REPOSITORY.glob("*.py"))


@pytest.fixture
def outside(monkeypatch):
    """Signal handlers are for a script's own process, not for that of the tests."""
    monkeypatch.setattr("signal.signal", lambda *_: None)


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    outside, monkeypatch, caplog, tmp_path
):
    monkeypatch.setattr(packages, "NEEDED", ("numpy", "no_such_package"))
    monkeypatch.setattr(packages, "REPOSITORY", tmp_path)
    with pytest.raises(SystemExit, match="2"):
        run(lambda: pytest.fail("nothing may run without it"))
    assert "has no package no_such_package; run make demo" in caplog.text
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".runs").touch()
    assert f"they are in .venv: run . {tmp_path}/.venv/bin/activate" in packages.lacking()


def test_every_package_that_is_needed_is_required():
    names = {"cv2": "opencv-python-headless", "yaml": "pyyaml", "PIL": "pillow"}
    required = (REPOSITORY / "requirements.txt").read_text()
    for name in packages.NEEDED:
        assert f"\n{names.get(name, name)}>=" in required
    assert packages.lacking() == ""


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_needs_no_package_to_say_so(script):
    command = [sys.executable, "-S", str(REPOSITORY / script), "--help"]  # -S: no packages
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
    assert "has no package torch, " in ended.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_has_an_example_and_says_what_is_read_and_written(script):
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally: assert not {'torch', 'numpy', 'yaml', 'cv2'} & sys.modules.keys()"
    )
    command = [sys.executable, "-c", code, str(REPOSITORY / script), "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert f"    python {script} " in ended.stdout
    assert "Reads " in ended.stdout and "Writes " in ended.stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("test.py --halo=--", "--halo=--: -- is no value; see --help"),
        ("train.py --config=-- --resume", "--config=--: -- is no value; see --help"),
        ("pre_process.py --merged=--", "--merged=--: -- is no value; see --help"),
        ("convert.py a --half=-- b", "--half=--: -- is no value; see --help"),
        ("data_gen.py --seed", "argument --seed: expected one argument; see --help"),
        (
            "figure.py --out a",
            "the following arguments are required: --image, --trimap, --pred",
        ),
        ("test.py --mode fast", "argument --mode: invalid choice: 'fast'"),
        (
            "train.py --resume --overwrite",
            "argument --overwrite: not allowed with argument",
        ),
    ],
)
def test_what_argparse_refuses_is_one_line(line, told, capsys):
    with pytest.raises(SystemExit, match="2"):
        scripts.main(*line.split())
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {told}") and printed.count("\n") == 1


IMPORTED = {  # what a script imports when its arguments are read
    **dict.fromkeys(("train.py", "train_prune.py", "train_pruned.py", "test.py"), "utils.config"),
    "pre_process.py": "utils.data.check",
    "data_gen.py": "utils.data.split",
    "convert.py": "models.files.saving",
    "figure.py": "utils.figures.examples",
    "tables.py": "utils.tables.rows",
}
GIVEN = {
    "convert.py": "a b.tar",
    "figure.py": "--image a --trimap b --pred c --out d.png",
    "tables.py": "--config a.yaml",
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("SIGINT", 130, "stopped; what is whole stays\n"), ("SIGTERM", 143, "")],
)
def test_a_signal_while_modules_are_imported_ends_a_script(tmp_path, script, name, code, said):
    """Also where what is imported takes the exception of Ctrl-C for one of its own."""
    (tmp_path / "run.py").write_text(
        "import os, runpy, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(name, *_):\n"
        f"        if name == {IMPORTED[script]!r}:\n"
        f"            try: os.kill(os.getpid(), signal.{name}); sum(range(1000))\n"
        "            except BaseException: raise ImportError('it was swallowed')\n"
        "sys.meta_path.insert(0, Finder)\n"
        "sys.argv = sys.argv[1:]\n"
        f"sys.path[0] = {str(REPOSITORY)!r}\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    words = GIVEN.get(script, "").split()
    command = [sys.executable, "run.py", str(REPOSITORY / script), *words]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (code, said)


def test_options_that_do_not_go_together_are_refused_without_pytorch(tmp_path):
    lines = (
        "test.py --network a.tar --halo 9",
        "test.py --network a.tar --mode tile --halo some",
        "test.py --network a.tar --batch 0",
        "test.py --pred a --alpha b --trimap c --mode tile",
        "test.py --network a.tar --image b --alpha c",
        "test.py --network a.tar --json /proc/a",
        "train.py train.lrate=1",
        "train.py --config none.yaml",
        f"train.py --config {CONFIGS / 'sample.yaml'} --KD_type spatial",
        "pre_process.py --check --snap 5",
        "figure.py --image a --trimap b --pred c --out d",
        "convert.py a.tar a.tar/b",
    )
    code = (
        "import sys; from tests.scripts import refusal\n"
        "for line in sys.argv[1:]: refusal(*line.split())\n"
        "assert 'torch' not in sys.modules"
    )
    (tmp_path / "a.tar").touch()
    command = [sys.executable, "-c", code, *lines]
    place = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(REPOSITORY)}}
    ended = subprocess.run(command, **place, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_flags_of_distillation_without_a_teacher_are_refused():
    config = CONFIGS / "sample.yaml"
    for flag, value in (("KD_type", "spatial"), ("feature_layer", "[1]"), ("KD_weight", "[1,1]")):
        told = refusal("train.py", "--config", config, f"--{flag}", value)
        assert told == (
            f"--{flag}: {config} names no teacher to imitate; add teacher=FILE, or leave it out"
        )


def test_messages_hold_the_whole_command(tmp_path, monkeypatch):
    from utils import config as configs
    from utils.networks.loading import open_pruned, open_teacher, trained_networks

    monkeypatch.chdir(tmp_path)
    given = ("data.root=my data", "data.dataset=set", "train.lr=0.1")
    words = "'data.root=my data' data.dataset=set"
    student = configs.load(CONFIGS / "student_SPKD.yaml", given)
    told = f"train one with python train.py --config {CONFIGS}/train_SPKD.yaml {words}, or set"
    assert told in refused(open_teacher, student)
    told = f"with python train.py --config {CONFIGS}/student_SPKD.yaml {words} train.lr=0.1, or"
    assert told in refused(trained_networks, student)
    Path("own.yaml").write_text("save_dir: own")
    own = configs.load(tmp_path / "own.yaml", given)
    words = f"--config own.yaml {words} train.lr=0.1"
    assert f"train one with python train.py {words}, or set teacher" in refused(open_teacher, own)
    assert f"run python train_prune.py {words} first" in refused(open_pruned, own)
    other = configs.load(None, ["teacher=elsewhere/a.tar"])
    assert "with python train.py and the config of this save_dir" in refused(open_teacher, other)


def test_advised_scripts_are_found_where_the_one_that_runs_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{REPOSITORY}/test.py"])
    told = refusal("test.py")
    assert f"train first, with python {REPOSITORY}/train.py --config {CONFIGS}/train_SPKD" in told


def test_the_scripts_of_one_path_have_one_config_and_train_says_how_to_score_its_own():
    defaults = {}
    for script in ("train.py", "train_prune.py", "train_pruned.py", "test.py"):
        told = (REPOSITORY / script).read_text(encoding="utf-8")
        (defaults[script],) = re.findall(r'"(\w+_SPKD\.yaml)"', told)
    assert defaults.pop("train.py") == "student_SPKD.yaml"  # whose flags it has
    assert set(defaults.values()) == {"train_SPKD.yaml"}


def test_a_missing_data_set_is_told_before_weights_are_downloaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **__: 1 / 0)
    told = refusal("train.py", "--config", CONFIGS / "train_SPKD.yaml")
    assert told.startswith("data/Composition-1k/train: no such folder")


@pytest.mark.parametrize(
    ("cores", "processors", "busy", "count"),
    [
        (2, 2, 0.0, 2),
        (2, 2, 0.4, 2),
        (2, 2, 1.0, 1),
        (2, 2, 2.0, 1),
        (8, 16, 4.0, 8),  # two processors are one core
        (8, 16, 12.0, 4),
    ],
)
def test_threads_are_as_many_as_cores_are_free(cores, processors, busy, count):
    assert threads.threads(cores, processors, busy) == count


def test_who_has_chosen_threads_keeps_them(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(threads, "busy_cores", lambda processors: float(len(processors)))
    monkeypatch.setattr(threads, "cores", len)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    threads.choose_threads()
    assert "OMP_NUM_THREADS" not in os.environ  # too late, PyTorch is here
    monkeypatch.delitem(sys.modules, "torch")
    threads.choose_threads()
    assert os.environ["OMP_NUM_THREADS"] == "1" and os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert "1 of 3 threads, since other programs keep 3.0 cores busy" in caplog.text
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    threads.choose_threads()
    assert os.environ["OMP_NUM_THREADS"] == "7" and os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_what_keeps_processors_busy_is_measured(monkeypatch):
    ticks = iter([{0: (100, 50), 1: (100, 50)}, {0: (120, 50), 1: (120, 65)}])
    monkeypatch.setattr(threads, "_ticks", lambda _: next(ticks))
    monkeypatch.setattr(threads, "WATCHED", 0)
    assert threads.busy_cores({0, 1}) == pytest.approx(1 + 0.25)
