"""Files on the disk: whether they have changed, and whether they can be written."""

import os

import pytest

from tests.refusals import refused
from utils.cli.files import record, require_folder, require_target


@pytest.fixture
def files(tmp_path):
    for name in ("a.png", "b c.png"):
        (tmp_path / name).write_bytes(b"content")
        os.utime(tmp_path / name, ns=(0, 10**18 + 7))
    return [tmp_path / "a.png", tmp_path / "b c.png"]


def test_a_record_tells_name_size_and_nanoseconds(files):
    assert record(files[1]) == "b c.png 7 1000000000000000007"
    assert record(files[1].with_name("none")) is None


def test_a_file_that_will_be_written_is_no_folder_no_pipe_and_not_read(files, tmp_path):
    require_target("--json", tmp_path / "new" / "a.json")
    require_target("--json", None)
    assert not (tmp_path / "new").exists()
    assert f"--json {tmp_path}: is a folder; name a file" in refused(
        require_target, "--json", tmp_path
    )
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe or a device" in refused(require_target, "--json", tmp_path / "pipe")
    for read in (files[0], tmp_path):
        message = refused(require_target, "--out", files[0], [read])
        assert "is read, too, and would be replaced; name another file" in message


@pytest.mark.parametrize("require", [require_target, require_folder])
def test_what_cannot_be_written_is_named_with_its_option(files, monkeypatch, require):
    below = files[0] / "below" / "a"
    assert (
        refused(require, "--out", below) == f"--out {below}: {files[0]} is no folder; name another"
    )

    def denied(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    target = files[0].parent / "new/a"
    assert "cannot be written (Permission denied)" in refused(require, "--out", target)


def test_a_folder_that_will_be_written_is_no_file(files, tmp_path):
    assert "is a file; name a folder" in refused(require_folder, "--out", files[0])
    require_folder("--out", tmp_path)
    require_folder("--out", None)
