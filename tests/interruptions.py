"""SIGTERM at random moments of a training: it ends soon, files are whole, --resume goes on.

    python -m tests.interruptions --count 50

A training of a tiny set with one worker gets SIGTERM, its whole group of processes, at a random
moment: of its process (from the first import on), start, loader's start, steps, saves, validations.
Then it is resumed. Prints how many ended with 143 and one line, the longest wait, and how many of
the resumed ones end as the whole one. With --twice a second SIGTERM follows within a tenth of a
second. An hour; not part of `make test`.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from tqdm import tqdm

import train
from models.files import saving as files
from tests.scripts import REPOSITORY
from tests.sets import prepare, write_set
from tests.train.test_resume import content, same
from utils.cli import command
from utils.data.loader import Loader
from utils.train import checkpoint, loop
from utils.train.objective import Objective

# Where a kind's signal comes, how many calls there are, how long the first takes.
KINDS = {
    "loader": (Loader, "batches", 1, 0.5),
    "step": (Objective, "forward", 12, 0.05),
    "save": (checkpoint, "save_training", 4, 0.05),
    "validation": (loop, "validate", 4, 0.05),
}
RESULTS = ("checkpoint.tar", "BEST_checkpoint.tar")
LAST, BEST = RESULTS


def started(
    argv: list[str], errors: Path, before: Callable[[], None] = lambda: None, fresh: bool = False
) -> int:
    """train.py in a forked process and a group of its own; its id. A fresh one imports all anew."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    for number in (1, 2):
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    tqdm.set_lock(threading.RLock())  # that of all forked processes: one that is killed keeps it
    before()
    if fresh:
        os.execv(sys.executable, [sys.executable, str(REPOSITORY / "train.py"), *argv])
    command.run(lambda: train.main(argv))
    sys.exit()


def ended(child: int) -> int:
    """The exit status, as a shell tells it."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 128 - code if code < 0 else code


def signal_within(kind: str, call: int, share: float, twice: bool, mark: Path) -> None:
    """Send SIGTERM to the group when `share` of that call of the kind's function is over."""
    place, name, _, first = KINDS[kind]
    function, calls, times = getattr(place, name), [], []

    def send(late: float) -> None:
        time.sleep(late)
        mark.write_text(str(time.time()))
        os.killpg(0, signal.SIGTERM)
        if twice:
            time.sleep(random.random() / 10)
            os.killpg(0, signal.SIGTERM)

    def wrapped(*arguments, **options):
        calls.append(None)
        if len(calls) == call:
            late = share * (times[-1] if times else first)
            threading.Thread(target=send, args=(late,), daemon=True).start()
        begin = time.time()
        try:
            return function(*arguments, **options)
        finally:
            times.append(time.time() - begin)

    mock.patch.object(place, name, wrapped).start()


def interrupt(kind: str, argv: list[str], folder: Path, duration: float, twice: bool) -> dict:
    """One training, interrupted; how it ended."""
    errors, mark = folder / "errors.txt", folder / "mark.txt"
    if kind in ("process", "start"):
        child = started(argv, errors, fresh=kind == "process")
        time.sleep(random.random() * duration * (4 if kind == "process" else 1))
        mark.write_text(str(time.time()))
        os.killpg(child, signal.SIGTERM)
        if twice:
            time.sleep(random.random() / 10)
            os.killpg(child, signal.SIGTERM)
    else:
        call, share = random.randint(1, KINDS[kind][2]), random.random()
        child = started(argv, errors, lambda: signal_within(kind, call, share, twice, mark))
    code = ended(child)
    said = errors.read_text()
    return {
        "code": code,
        "waited": time.time() - float(mark.read_text()),
        "lines": said.count("SIGTERM after step"),
        "traceback": "Traceback" in said or "Exception ignored" in said,
        "left": [path.name for path in folder.rglob(".*") if path.suffix == ".tar"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--kinds", nargs="+", default=["process", "start", *KINDS])
    parser.add_argument("--twice", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    place = Path(tempfile.mkdtemp())
    data = prepare(write_set(place / "data" / "tiny", train=8))
    overrides = (
        *(f"data.root={data.parent}", "data.dataset=tiny", "data.crop=32", "device=cpu"),
        *("data.backgrounds_per_foreground=2", "data.valid_backgrounds=12", "data.workers=1"),
        *("network.width=0.03125", "teacher=null", "network.pretrained=null"),
        *("train.epochs=4", "train.batch_size=4", "train.print_every=1"),
    )

    def command_line(name: str) -> list[str]:
        (place / name).mkdir()
        return [*overrides, f"save_dir={place / name}"]

    begin = time.time()
    assert ended(started(command_line("whole"), place / "whole.txt")) == 0
    duration = 0.4 * (time.time() - begin)
    for kind in arguments.kinds:
        found, equal, silent = [], 0, 0
        for number in range(arguments.count):
            folder = place / f"{kind}-{number}"
            argv = command_line(folder.name)
            found.append(interrupt(kind, argv, folder, duration, arguments.twice))
            saved = [folder / name for name in RESULTS if (folder / name).exists()]
            assert all(files.read(path) for path in saved)
            again = ["--resume"] if folder / LAST in saved else ["--overwrite"]
            silent += folder / LAST not in saved
            assert ended(started([*argv, *again], folder / "resumed.txt")) == 0, folder
            equal += all(
                same(content(folder / name), content(place / "whole" / name)) for name in RESULTS
            )
        print(
            f"{kind}: {len(found)} interrupted; "
            f"143: {sum(one['code'] == 143 for one in found)}, "
            f"0: {sum(one['code'] == 0 for one in found)}; "
            f"one line: {sum(one['lines'] == 1 for one in found)}, nothing saved yet: {silent}; "
            f"tracebacks: {sum(one['traceback'] for one in found)}; "
            f"half-written files: {sum(len(one['left']) for one in found)}; "
            f"longest wait: {max(one['waited'] for one in found):.1f} s; "
            f"resumed as the whole one: {equal}",
            flush=True,
        )


if __name__ == "__main__":
    main()
