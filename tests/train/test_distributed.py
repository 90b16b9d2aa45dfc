"""Several processes that train together end as one process does with the whole batch."""

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch._dynamo  # once here, not in every process
import torch.distributed as dist
import yaml
from torch import nn

import models
from models.channels import Norm
from models.errors import InputError
from models.files import saving as files
from tests.scenes import write_voc
from tests.scripts import REPOSITORY, main
from tests.trainings import stop_after
from utils import distributed
from utils.cli.command import run
from utils.config import load
from utils.tasks import Matting, Segmentation
from utils.train.checkpoint import run_lock

FORK = multiprocessing.get_context("fork")
LAST = {name: f"checkpoint{name[5:]}.tar" for name in ("train", "train_prune", "train_pruned")}
STAGES = {"pspnet": "layer2,layer4", "mobile_unet": "encoder2,decoder2", "dim": "encoder2,decoder3"}
WIDTHS = {"pspnet": 1 / 16, "mobile_unet": 1 / 4, "dim": 1 / 32}
CLASSES = {"classes": 3, "blocks": [1, 1, 1, 1]}


def together(count: int, function: Callable, *arguments: object, attempt: int = 0) -> list[int]:
    """Call the function in processes as torchrun starts them; their exit codes by rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}
    shared |= {"TORCHELASTIC_USE_AGENT_STORE": True}
    shared |= {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    shared |= {"TORCHELASTIC_RESTART_COUNT": attempt, "TORCHELASTIC_MAX_RESTARTS": 1}
    ranks = [
        FORK.Process(
            target=_start,
            args=(shared | {"RANK": rank, "LOCAL_RANK": rank}, function, arguments),
        )
        for rank in range(count)
    ]
    for process in ranks:
        process.start()
    store = dist.TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
    for process in ranks:
        process.join(300)
    del store
    return [process.exitcode for process in ranks]


def _start(environment: dict, function: Callable, arguments: Sequence[object]) -> None:
    os.environ.update({name: str(value) for name, value in environment.items()})
    torch.set_num_threads(1)
    function(*arguments)


def in_float64(script: str, *words: object) -> None:
    """A script that computes in float64 and drops nothing, so that only rounding can differ."""
    torch.set_default_dtype(torch.float64)
    nn.Dropout2d.forward = lambda self, x: x
    if "train.sync_batchnorm=true" not in words:  # tiny networks with norms in training are chaotic
        Norm.train = lambda self, _=True: nn.Module.train(self, False)
    for task in (Matting, Segmentation):
        task.batch = lambda *args, batch=task.batch: _doubled(batch(*args))
    main(f"{script}.py", *words)


def _doubled(batch: NamedTuple) -> NamedTuple:
    return type(batch)(
        *(x.double() if torch.is_tensor(x) and x.is_floating_point() else x for x in batch)
    )


@pytest.fixture(scope="module")
def place(data, tmp_path_factory) -> Path:
    """A working folder with data, and a teacher and a cut network of each architecture."""
    folder = tmp_path_factory.mktemp("ranks")
    write_voc(folder / "voc", train=12)
    for name, width in WIDTHS.items():
        structure = CLASSES if name == "pspnet" else {}
        torch.manual_seed(5)
        for file, factor in (("teacher", 1), ("pruned", 1 / 2)):
            plan = models.scaled_plan(name, width * factor, **structure)
            network = models.build(name, plan, **structure)
            (folder / name).mkdir(exist_ok=True)
            files.save(folder / name / f"{file}.tar", files.record(network))
    return folder


def words(place: Path, data: Path, name: str, kinds: str, folder: str, *more: str) -> list[str]:
    segmentation = name == "pspnet"
    root = place / "voc" if segmentation else data
    target = place / folder
    target.mkdir(parents=True)
    shutil.copy(place / name / "pruned.tar", target)
    config = {
        "save_dir": str(target),
        "device": "cpu",
        "teacher": str(place / name / "teacher.tar"),
        "network": {
            "name": name,
            "width": WIDTHS[name] / 2,
            "structure": CLASSES if segmentation else {},
        },
        "data": {
            "root": str(root.parent),
            "dataset": root.name,
            "crop": 41 if segmentation else 32,
            "workers": 0,
            "backgrounds_per_foreground": 4,
            "valid_backgrounds": 5,
        },
        "distill": {"types": kinds.split(","), "stages": STAGES[name].split(",")},
        "prune": {"min_channels": 2, "sparsity": 1e-3},
        "train": {
            "batch_size": 6,
            "optimizer": "sgd",
            "lr": 0.002,
            "ema": 0.5,
            "channels_last": False,  # maxima that tie fall otherwise there
        },
    }
    (target / "config.yaml").write_text(yaml.safe_dump(config))
    return ["--config", str(target / "config.yaml"), "--overwrite", *more]


def difference(place: Path, script: str, one: str, other: str) -> float:
    """The largest difference of two trainings, relative to the largest number of each tensor."""
    first, second = (files.read(place / folder / LAST[script]) for folder in (one, other))
    parts = [(first["weights"], second["weights"])]
    for name in ("distillation", "average"):
        states = [c["training"].get(name, {}) for c in (first, second)]
        parts.append(tuple(states))
    scores = [{"best": torch.tensor(c["training"]["best"])} for c in (first, second)]
    found = 0.0
    for a, b in (*parts, scores):
        assert a.keys() == b.keys()
        for key in a:
            scale = a[key].double().abs().max().clamp_min(1e-3)
            found = max(found, ((a[key] - b[key]).abs().max() / scale).item())
    return found


def end_as_one(
    place: Path, data: Path, count: int, script: str, name: str, kinds: str, *more: str
) -> None:
    """Train in one and in `count` processes."""
    one, other = (f"{script}-{name}-{kinds}-{len(more)}-{n}-of-{count}" for n in (1, count))
    for processes, folder in ((1, one), (count, other)):
        told = words(place, data, name, kinds, folder, *more)
        assert together(processes, in_float64, script, *told) == [0] * processes
    assert difference(place, script, one, other) < 1e-6


@pytest.mark.parametrize(
    ("script", "name", "kinds"),
    [("train_prune", "dim", "spatial,channel"), ("train_pruned", "pspnet", "batch,nst")],
)
def test_two_processes_train_as_one(place, data, script, name, kinds):
    end_as_one(place, data, 2, script, name, kinds, "train.epochs=1")


@pytest.mark.exhaustive
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("kinds", ["spatial,channel", "batch", "cwd", "nst"])
@pytest.mark.parametrize("name", list(WIDTHS))
@pytest.mark.parametrize("script", list(LAST))
def test_so_they_do_after_twenty_steps(place, data, script, name, kinds, count):
    more = ("train.epochs=10", "train.validate_every=5")
    end_as_one(place, data, count, script, name, kinds, *more)


def test_synchronised_norms_see_the_whole_batch(place, data):
    more = ("train.epochs=1", "train.sync_batchnorm=true")
    end_as_one(place, data, 2, "train", "dim", "spatial", *more)


def stopped_in_rank_1(step: int, *arguments: object) -> None:
    if os.environ["RANK"] == "1":
        stop_after(step, pytest.MonkeyPatch())
    in_float64(*arguments)


def test_a_stop_of_any_process_stops_all_and_others_resume(place, data):
    told = words(place, data, "mobile_unet", "batch,cwd", "whole", "train.epochs=2")
    assert together(1, in_float64, "train", *told) == [0]
    told = words(place, data, "mobile_unet", "batch,cwd", "parts", "train.epochs=2")
    code = 128 + signal.SIGTERM
    assert together(2, stopped_in_rank_1, 3, "train", *told) == [code, code]
    assert files.read(place / "parts" / LAST["train"])["training"]["step"] == 3
    told[told.index("--overwrite")] = "--resume"
    assert together(3, in_float64, "train", *told) == [0, 0, 0]
    assert difference(place, "train", "whole", "parts") < 1e-6


KILLED = """
import os, signal, sys
from tests.train.test_distributed import in_float64
from utils.cli.command import run
from utils.train.objective import Objective

forward, calls = Objective.forward, []

def counted(self, batch):
    calls.append(None)
    if (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]) == ("1", "0"):
        if len(calls) == 4:  # the second epoch's last step
            os.kill(os.getpid(), signal.SIGKILL)
    return forward(self, batch)

Objective.forward = counted
run(lambda: in_float64("train", *sys.argv[1:]))
"""


@pytest.mark.slow
def test_torchrun_goes_on_after_a_process_was_killed(place, data):
    told = words(place, data, "mobile_unet", "batch", "unbroken", "train.epochs=3")
    assert together(1, in_float64, "train", *told) == [0]
    told = words(place, data, "mobile_unet", "batch", "broken", "train.epochs=3")
    (place / "killed.py").write_text(KILLED)
    torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1")
    ended = subprocess.run(
        [sys.executable, "-m", *torchrun, str(place / "killed.py"), *told],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    assert "exitcode: -9" in ended.stderr and "step 6 of 6" in ended.stderr
    assert difference(place, "train", "unbroken", "broken") < 1e-6
    assert not list((place / "broken").glob(".*"))


def test_torchrun_resumes_its_own_training_alone(tmp_path, monkeypatch):
    config = load(None, [f"save_dir={tmp_path}"])
    last = tmp_path / "checkpoint.tar"
    last.write_text("of another training")
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "2")

    def attempt(number: int, **options: bool) -> bool:
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", str(number))
        with pytest.raises(ArithmeticError), run_lock(config, (last.name,), **options) as resume:
            raise ArithmeticError
        return resume

    for number in (0, 1):
        with pytest.raises(InputError, match="is there already"):
            attempt(number)
    assert not attempt(0, overwrite=True)
    assert not attempt(1, overwrite=True), "nothing was saved yet"
    os.utime(last, ns=(1, 1))
    assert attempt(2, overwrite=True)
    with pytest.raises(InputError, match="is there already"):
        attempt(0)


def scripted(script: str, told: Sequence[str], own: Sequence[str]) -> None:
    """The script as its user starts it; rank 1 has words of its `own`, too."""
    more = own if os.environ["RANK"] == "1" else ()
    logging.getLogger().handlers.clear()  # pytest's
    run(lambda: main(f"{script}.py", *told, *more))


@pytest.mark.parametrize(
    ("given", "own", "line"),
    [
        (["train.batch_size=5"], [], "train.batch_size: 5 cannot be shared evenly by 2 processes"),
        (["device=cuda:7"], [], "device: cuda:7 is not here"),
        ([], ["train.lr=0.5"], "train.lr: rank 1 has another than rank 0"),
        ([], ["data.dataset=elsewhere"], "elsewhere"),
        (["--pull"], [], "--pull: is work for one process"),
    ],
)
def test_bad_input_is_one_line_of_one_process(place, data, tmp_path, capfd, given, own, line):
    told = words(place, data, "mobile_unet", "batch", str(tmp_path / "bad"), *given)
    told = [word for word in told if word != "--overwrite" or "--pull" not in given]
    assert together(2, scripted, "train", told, own) == [2, 2]
    said = [one for one in capfd.readouterr().err.splitlines() if "error" in one.lower()]
    assert len(said) == 1 and said[0].startswith("error: ") and line in said[0]


def test_a_machine_needs_a_gpu_for_each_process(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 4)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    for name, line in (("cuda", "4 processes on a machine with 2 GPUs"), ("cuda:1", "is one GPU")):
        with pytest.raises(InputError, match=line):
            distributed.require_device(torch.device(name))
    distributed.require_device(torch.device("cpu"))
