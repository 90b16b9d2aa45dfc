"""Atomic writing: the whole file or the old one, through links, and nothing left behind."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

from models.files import saving as files
from models.files.atomic import atomic
from tests.refusals import refused
from tests.trainings import tiny_network

WRITER = """
import os, signal, sys
from models.files.atomic import atomic
with atomic(sys.argv[1]) as temporary:
    temporary.write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "network.tar"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    line = refused(files.save_network, path, tiny_network())
    assert "network.tar: the disk is full" in line
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_name_for_a_file_and_a_file_none_for_a_folder(tmp_path):
    assert "is a folder; name a file" in refused(write, tmp_path, "new")
    (tmp_path / "file").write_text("kept")
    for name in ("file/a.tar", "file/new/a.tar"):
        assert f"{name}: cannot be written" in refused(write, tmp_path / name, "new")
    assert (tmp_path / "file").read_text() == "kept"


def test_the_target_of_a_link_is_replaced_and_not_the_link(tmp_path):
    target, link = tmp_path / "disk" / "large.tar", tmp_path / "a.tar"
    target.parent.mkdir()
    link.symlink_to(target.relative_to(tmp_path))
    for content in ("old", "new"):  # at first there is none
        write(link, content)
        assert link.is_symlink() and not target.is_symlink() and target.read_text() == content
    assert list(target.parent.iterdir()) == [target]


def test_the_next_save_removes_what_a_killed_one_left(tmp_path):
    process = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path / "a.tar")], check=False)
    assert process.returncode == -signal.SIGKILL
    (temporary,) = tmp_path.iterdir()
    assert temporary.stat().st_size == 1000
    files.save_network(tmp_path / "a.tar", tiny_network())
    assert [file.name for file in tmp_path.iterdir()] == ["a.tar"]
