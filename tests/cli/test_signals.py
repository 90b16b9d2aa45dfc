"""Signals while a training starts, steps, validates and saves: it saves whole files and ends."""

import multiprocessing
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from models.files import saving as files
from tests.scripts import REPOSITORY
from tests.trainings import Training, content, same, tiny_config, tiny_training
from utils.cli.signals import CODES, StopRequest
from utils.data import loader
from utils.tasks.matting import Matting

NAMES = ("checkpoint.tar", "BEST_checkpoint.tar")


def test_sighup_asks_a_training_to_stop_but_not_under_nohup():
    ask = "from utils.cli.signals import CODES; import signal; print(signal.SIGHUP in CODES)"
    plain = ["env", "--default-signal=HUP", sys.executable, "-c", ask]  # these tests may be nohup's
    for command, expected in ((plain, "True"), ([*plain[:2], "nohup", *plain[2:]], "False")):
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        assert ended.stdout.strip() == expected


def terminate(times: int = 1) -> None:
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGTERM)


def stops(training: Training, resume: bool = False) -> None:
    """It ends as SIGTERM ends a process, with this process's handlers as they were."""
    before = [signal.getsignal(code) for code in CODES]
    with pytest.raises(SystemExit) as stopped:
        training.fit(resume)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert [signal.getsignal(code) for code in CODES] == before


def before_call(monkeypatch, place: object, name: str, number: int, do: Callable) -> None:
    """`do` something right before a function is called for the number-th time."""
    function, calls = getattr(place, name), []

    def wrapped(*arguments, **options):
        calls.append(None)
        if len(calls) == number:
            do()
        return function(*arguments, **options)

    monkeypatch.setattr(place, name, wrapped)


@pytest.fixture(scope="module")
def config(data):
    return tiny_config(data, "data.valid_backgrounds=6")  # two batches to validate


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory) -> Training:
    training = tiny_training(config, tmp_path_factory.mktemp("whole"))
    training.fit()
    return training


def ends_as(whole: Training, training: Training) -> bool:
    return all(
        same(content(whole.config.folder / name), content(training.config.folder / name))
        for name in NAMES
    )


def test_a_signal_while_the_loader_starts_ends_it_before_the_first_step(
    data, tmp_path, monkeypatch
):
    config = tiny_config(data, "data.workers=1")
    withheld = []

    def start():
        withheld.extend(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        terminate()

    with monkeypatch.context() as patch:
        before_call(patch, DataLoader, "__iter__", 1, start)
        training = tiny_training(config, tmp_path)
        stops(training)
    assert files.read(training.last)["training"]["step"] == 0
    assert set(CODES) <= set(withheld)


@pytest.mark.parametrize("save", [1, 2])
def test_what_is_being_saved_is_saved_whole_whatever_comes(
    config, whole, tmp_path, monkeypatch, save
):
    """An epoch saves the best network first, then the training."""
    with monkeypatch.context() as patch:
        before_call(patch, torch, "save", save, lambda: terminate(3))
        training = tiny_training(config, tmp_path)
        stops(training)
    assert {path.name for path in tmp_path.iterdir()} == {*NAMES, "board"}
    assert files.read(training.last)["training"]["step"] == 4
    again = tiny_training(config, tmp_path)
    again.fit(resume=True)
    assert ends_as(whole, again)


def logged(training: Training, tag: str) -> list[tuple[int, float]]:
    folder = training.config.folder / "board" / "train"
    events = EventAccumulator(str(folder)).Reload()
    return [(event.step, pytest.approx(event.value)) for event in events.Scalars(tag)]


@pytest.mark.parametrize(("batch", "step", "due"), [(1, 4, True), (2, 4, False), (3, 8, True)])
def test_a_validation_is_broken_off_at_its_next_batch_and_done_again(
    config, whole, tmp_path, monkeypatch, batch, step, due
):
    """The second batch is the last of a validation, which is then whole."""
    for number, resume in ((batch, False), (1, True)):  # what is broken off twice is still due
        with monkeypatch.context() as patch:
            before_call(patch, Matting, "scores", number, terminate)
            stops(tiny_training(config, tmp_path), resume)
        if not resume:
            found = files.read(tmp_path / NAMES[0])["training"]
            assert found["step"] == step and found["due"] == due
    again = tiny_training(config, tmp_path)
    again.fit(resume=True)
    assert ends_as(whole, again)
    for tag in ("valid/alpha", "loss/alpha"):
        assert logged(again, tag) == logged(whole, tag)
        assert [at for at, _ in logged(whole, tag)] == [4, 8]


def test_a_second_signal_ends_a_process_at_once_but_not_one_that_saves():
    with StopRequest() as stop:
        assert not stop
        with stop.defer_signals():
            terminate()
            terminate()
        assert stop and stop.signal is signal.SIGTERM
        terminate()  # what has saved only ends
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    with StopRequest() as stop:
        terminate()
        assert stop
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        with stop.defer_signals():
            terminate()


GONE = """
import sys, time
from utils.cli.signals import StopRequest
with StopRequest() as stop:
    print("ready", flush=True)
    while not stop:
        sys.stderr.write(".")
        sys.stderr.flush()
        time.sleep(0.01)
    print("nobody reads this", flush=True)
    open(sys.argv[1], "w").write(stop.signal.name)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal on Windows")
def test_a_terminal_that_is_gone_leaves_time_to_save(tmp_path):
    child, terminal = pty.fork()
    if not child:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.chdir(REPOSITORY)
        os.execv(sys.executable, [sys.executable, "-c", GONE, str(tmp_path / "saved")])
    while b"ready" not in os.read(terminal, 1000):
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "saved").read_text() == "SIGHUP"


def test_a_stop_is_granted_while_a_batch_is_waited_for(config, whole, tmp_path, monkeypatch):
    waiting = config.model_copy(update={"data": config.data.model_copy(update={"workers": 1})})
    go_on = multiprocessing.Event()
    collate = loader._stacked
    with monkeypatch.context() as patch:
        patch.setattr(loader, "_stacked", lambda parts: go_on.wait(60) and collate(parts))
        threading.Timer(0.2, terminate).start()
        threading.Timer(1, go_on.set).start()  # or the worker would be waited for
        training = tiny_training(waiting, tmp_path)
        stops(training)
    assert files.read(training.last)["training"]["step"] == 0
    again = tiny_training(config, tmp_path)
    again.fit(resume=True)
    assert ends_as(whole, again)
