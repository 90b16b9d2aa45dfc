"""One process at a time writes into a folder; a lock never outlives the one that holds it."""

import errno
import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from models.errors import InputError
from tests.scripts import REPOSITORY
from utils.cli import files as lock
from utils.cli.files import folder_lock

HOLD = """
import sys, time
from utils.cli.files import folder_lock
with folder_lock(sys.argv[1], "holding"):
    print("inside", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen:
    """Another process that is inside."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "inside\n"
    return process


def test_a_second_process_is_refused_until_the_first_has_died(tmp_path):
    with holder(tmp_path) as process:
        with pytest.raises(InputError) as error, folder_lock(tmp_path, "more"):
            pass
        process.kill()
    assert str(error.value) == (
        f"{tmp_path}: another process is holding here (process {process.pid}); "
        "wait for it, or end it"
    )
    with folder_lock(tmp_path, "more"), pytest.raises(InputError, match="is more"):
        folder_lock(tmp_path, "again").__enter__()
    assert not list(tmp_path.iterdir())


def test_other_folders_and_later_times_are_free(tmp_path):
    for _ in range(2):
        with folder_lock(tmp_path / "a", "one"), folder_lock(tmp_path / "b", "two"):
            pass
    with pytest.raises(RuntimeError), folder_lock(tmp_path, "failing"):
        raise RuntimeError
    with folder_lock(tmp_path, "more"):
        pass


def test_a_folder_is_made_and_removed_again_if_nothing_comes_into_it(tmp_path):
    folder = tmp_path / "new" / "er"
    with folder_lock(folder, "nothing"):
        assert [path.name for path in folder.iterdir()] == [lock.NAME]
    assert not list(tmp_path.iterdir())
    with folder_lock(folder, "writing"):
        (folder / "made").touch()
    assert list(folder.iterdir()) == [folder / "made"]


def test_of_many_that_come_and_go_never_two_are_inside(tmp_path):
    inside, most, times = 0, 0, 0

    def come_and_go():
        nonlocal inside, most, times
        for _ in range(50):
            try:
                with folder_lock(tmp_path / "busy", "working"):
                    inside += 1
                    time.sleep(0.0001)
                    most = max(most, inside)
                    times += 1
                    inside -= 1
            except InputError:
                pass

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and times > 4
    assert not list(tmp_path.glob("*/*"))


def test_a_disk_without_locks_is_warned_of_and_used(tmp_path, monkeypatch, caplog):
    def unknown(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with folder_lock(tmp_path, "writing"):
        pass
    assert "has no locks" in caplog.text
