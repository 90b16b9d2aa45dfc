"""Atomic writing: the whole file or the old one, through links, and nothing left behind."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import models
from models.errors import InputError
from models.files import saving as files
from models.files.atomic import atomic, remove_leftovers
from tests.refusals import refused
from tests.trainings import tiny_network

KILLED = """
import os, signal, sys
from models.files.atomic import atomic
with atomic(sys.argv[1]) as temporary:
    temporary.write_bytes(bytes(1000))
    print(temporary, flush=True)
    if sys.argv[2] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text)


def writer(path: Path, then: str) -> tuple[subprocess.Popen, Path]:
    """A process that writes `path`, and its temporary file."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path), then], **pipes)
    return process, Path(process.stdout.readline().strip())


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "network.tar"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"network\.tar: the disk is full"):
        files.save_network(path, tiny_network())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [".", "folder"])
def test_a_folder_is_no_name_for_a_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder; name a file"), atomic(name):
        pytest.fail("nothing should be written")
    for read in (models.load, models.published.load):
        with pytest.raises(InputError, match="is a folder; name a checkpoint in it"):
            read(name)


@pytest.mark.parametrize("name", ["file/a.tar", "file/new/a.tar"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path, name):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InputError, match=rf"{name}: cannot be written"):
        files.save_network(tmp_path / name, tiny_network())
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_the_target_of_a_link_is_replaced_and_not_the_link(tmp_path, relative, there):
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "large.tar", tmp_path / "a.tar"
    link.symlink_to(target.relative_to(tmp_path) if relative else target)
    (tmp_path / "b.tar").symlink_to("a.tar")
    if there:
        target.write_text("old")
    write(tmp_path / "b.tar", "new")
    assert link.is_symlink() and (tmp_path / "b.tar").is_symlink()
    assert target.read_text() == "new" and not target.is_symlink()
    assert list(target.parent.iterdir()) == [target]


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "a.tar").symlink_to("a.tar")
    assert "a.tar: cannot be written" in refused(write, tmp_path / "a.tar", "new")
    assert (tmp_path / "a.tar").is_symlink()


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    assert "is a pipe or a device" in refused(write, tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").is_fifo()


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", ["a.tar", "a.safetensors"])
def test_the_next_save_removes_what_a_killed_one_left(tmp_path, name, linked):
    folder = tmp_path / "disk"
    folder.mkdir()
    path = tmp_path / name if linked else folder / name
    if linked:
        path.symlink_to(folder / name)
    process, temporary = writer(path, "dies")
    assert process.wait() == -signal.SIGKILL
    assert temporary.stat().st_size == 1000 and temporary.parent == folder
    files.save_network(path, tiny_network())
    assert [file.name for file in folder.iterdir()] == [name]


def test_what_others_are_writing_stays(tmp_path):
    path = tmp_path / "a.tar"
    process, temporary = writer(path, "waits")
    other = tmp_path / f".b.{2**22 + 1}{temporary.name[temporary.name.index('-') :]}"
    elsewhere = tmp_path / f".a.{2**22 + 1}-00000000.tar"
    for file in (other, elsewhere):
        file.touch()
    try:
        remove_leftovers(path)
        assert all(file.exists() for file in (temporary, other, elsewhere))
        gone = temporary.with_name(other.name.replace(".b.", ".a."))
        gone.touch()
        remove_leftovers(path)
        assert not gone.exists() and temporary.exists()
    finally:
        process.communicate()
    assert path.stat().st_size == 1000 and not temporary.exists()
