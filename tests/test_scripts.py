"""The whole path on a tiny data set, from pre_process.py to test.py, and how trainings end."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
import yaml

import models
from models.files import saving as files
from tests.scripts import REPOSITORY, main, refusal, refused
from tests.sets import write_set
from utils.images.reading import read_image
from utils.train import grad_norms as room

CONFIG = {
    "save_dir": "tiny",
    "device": "cpu",
    "network": {"name": "dim", "width": 0.0625},
    "data": {
        "dataset": "tiny",
        "crop": 32,
        "backgrounds_per_foreground": 4,
        "valid_backgrounds": 1,
        "workers": 1,
    },
    "distill": {"types": ["spatial", "channel", "batch", "at", "nst", "fsp", "ofd", "cwd"]},
    "prune": {"rate": 0.5, "min_channels": 2},
    "train": {"epochs": 2, "batch_size": 4, "lr": 0.005},
    "train_prune": {"epochs": 1},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A working folder with a tiny data set, split and composed, and its config."""
    folder = tmp_path_factory.mktemp("place")
    write_set(folder / "data" / "tiny")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main("pre_process.py", "--dataset", "tiny", "--per-foreground", 2, "--workers", 0)
        main("data_gen.py", "--dataset", "tiny", "--valid-share", 0.25)
    return folder


@pytest.fixture
def here(place, monkeypatch) -> Path:
    """The same folder, as the working folder of this process."""
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="module")
def path(place) -> dict[str, list[str]]:
    """The training scripts and the test, run one after the other: the lines that each prints."""
    printed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr("utils.networks.cost.milliseconds", lambda nets, _: [1.0] * len(nets))
        patch.setattr("utils.networks.cost.macs", lambda *_: 10**9)
        for script in ("train.py", "train_prune.py", "train_pruned.py", "test.py"):
            patch.setattr(sys, "argv", [str(REPOSITORY / script)])
            with redirect_stdout(io.StringIO()) as out:
                main(script, "--config", "tiny.yaml")
            printed[script] = out.getvalue().splitlines()
    return printed


def test_the_whole_path_leaves_its_files(place, path):
    result = place / "result" / "tiny"
    teacher, cut, student = (
        models.load(result / name)
        for name in ("BEST_checkpoint.tar", "pruned.tar", "BEST_pruned.tar")
    )
    assert student.plan == cut.plan
    assert sum(cut.plan.values()) < 0.6 * sum(teacher.plan.values())
    content = torch.load(result / "pruned.tar", weights_only=True)
    assert {"name", "structure", "plan", "keep", "scores", "weights"} <= content.keys()
    assert {group: len(kept) for group, kept in content["keep"].items()} == cut.plan
    assert {group: len(score) for group, score in content["scores"].items()} == teacher.plan


def test_the_test_compares_teacher_and_pruned_and_leaves_pictures(place, path):
    out = place / "result" / "tiny" / "test"
    lines = path["test.py"]
    assert any(line.startswith("| teacher") for line in lines)
    assert any(line.startswith("| pruned") for line in lines)
    names = {f.stem for f in (place / "data" / "tiny" / "test" / "composed" / "image").iterdir()}
    assert len(names) == 4
    for label in ("teacher", "pruned"):
        assert {file.stem for file in (out / label).iterdir()} == names
        content = json.loads((out / f"{label}.json").read_text())
        assert {row["name"] for row in content["images"]} == names
        assert content["SAD"] >= 0
    assert read_image(out / "sheet.png").shape[0] > 4 * 240


def test_each_training_says_the_whole_command_that_follows(path):
    for script, best, following in (
        ("train.py", "the best network is result/tiny/BEST_checkpoint.tar; score it", "test"),
        ("train_prune.py", "the cut network is result/tiny/pruned.tar; train it", "train_pruned"),
        ("train_pruned.py", "the best network is result/tiny/BEST_pruned.tar; score it", "test"),
    ):
        command = f"python {REPOSITORY / following}.py --config tiny.yaml"
        assert path[script][-1] == f"{best} with {command}"


@pytest.mark.parametrize("script", ["train.py", "train_prune.py", "train_pruned.py"])
def test_each_training_tells_what_pulls_and_writes_nothing(here, path, script, monkeypatch, capsys):
    monkeypatch.setattr(room, "LONGEST", 2)
    monkeypatch.setattr(room, "BATCHES", 1)
    result = here / "result" / "tiny"
    before = {file: file.stat().st_mtime_ns for file in result.rglob("*")}
    main(script, "--config", "tiny.yaml", "--pull")
    lines = capsys.readouterr().out.splitlines()
    terms = [line.split()[1] for line in lines[2:] if line.startswith("|")]
    imitated = [] if script == "train.py" else ["alpha_teacher", *CONFIG["distill"]["types"]]
    assert terms == ["alpha", *imitated]
    assert {file: file.stat().st_mtime_ns for file in result.rglob("*")} == before


def test_a_bare_test_scores_the_best_checkpoint(place, path, monkeypatch, costless):
    composed = place / "data" / "tiny" / "test" / "composed"
    folders = [
        one for kind in ("image", "alpha", "trimap") for one in (f"--{kind}", composed / kind)
    ]
    checkpoint = place / "result" / "tiny" / "BEST_checkpoint.tar"
    target = place / "bare" / "result" / "SPKD" / "BEST_checkpoint.tar"
    target.parent.mkdir(parents=True)
    target.write_bytes(checkpoint.read_bytes())
    monkeypatch.chdir(place / "bare")
    main("test.py", *folders, "--json", "scores.json", "device=cpu")
    own = json.loads((place / "result" / "tiny" / "test" / "teacher.json").read_text())
    bare = json.loads(Path("scores.json").read_text())
    assert [row["name"] for row in bare["images"]] == [row["name"] for row in own["images"]]
    assert bare["SAD"] == pytest.approx(own["SAD"], rel=1e-4)


def test_sigterm_saves_and_ends_and_resume_goes_on(here):
    arguments = ("--config", "tiny.yaml", "save_dir=stopped", "train.print_every=1")
    command = [sys.executable, str(REPOSITORY / "train.py"), *arguments, "train.epochs=100000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    board = Path("result/stopped/board/train")
    deadline = time.monotonic() + 120
    while not (board.is_dir() and any(f.stat().st_size > 500 for f in board.iterdir())):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)  # as a cluster does: workers get it too
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, errors.decode()
    assert b"SIGTERM after step" in errors and b"Traceback" not in errors
    step = files.read("result/stopped/checkpoint.tar")["training"]["step"]
    epochs = step // 3 + 1  # of three steps each
    main("train.py", *arguments, f"train.epochs={epochs}", "--resume")
    assert files.read("result/stopped/checkpoint.tar")["training"]["step"] == epochs * 3


def test_a_published_training_set_is_drawn_on_a_sheet(here):
    config = ("--config", REPOSITORY / "configs" / "gca.yaml")
    main("train.py", *config, "--sheet", "gca.png", "data.dataset=tiny", "save_dir=none")
    assert read_image("gca.png").shape[0] > 8 * 240
    assert not Path("result/none").exists()


@pytest.mark.parametrize(
    ("script", "arguments", "words"),
    [
        ("train.py", ["train.lrate=1"], "unknown key"),
        ("train.py", ["data.dataset=gone", "save_dir=new"], "data/gone"),
        ("train_prune.py", ["save_dir=new"], "no teacher there"),
        ("train_pruned.py", ["save_dir=new"], "no teacher there"),
        ("train.py", [], "checkpoint.tar: is there already; go on with --resume, begin anew"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(here, path, script, arguments, words):
    assert words in refusal(script, "--config", "tiny.yaml", *arguments)


def test_bad_input_ends_in_one_line_and_exit_code_2(place):
    line = refused(place, "data_gen.py", "--dataset", "gone")
    assert line.startswith("error: data/gone")
