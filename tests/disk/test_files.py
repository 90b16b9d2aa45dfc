"""Files on the disk: whether they have changed, and whether they can be written."""

import os

import pytest

from tests.refusals import refused
from utils.disk.files import record, require_folder, require_target, unchanged


@pytest.fixture
def files(tmp_path):
    for name in ("a.png", "b c.png"):
        (tmp_path / name).write_bytes(b"content")
        os.utime(tmp_path / name, ns=(0, 10**18 + 7))
    return [tmp_path / "a.png", tmp_path / "b c.png"]


def test_another_time_size_name_or_number_of_files_is_a_change(files, tmp_path):
    noted = [str(record(path)) for path in files]
    assert noted[1] == "b c.png 7 1000000000000000007" and unchanged(files, noted)
    assert not unchanged(files[:1], noted) and not unchanged(files, noted[:1])
    assert not unchanged(files[::-1], noted)
    for time in (10**18 + 6, 10**18 + 8):  # earlier ones, too
        os.utime(files[0], ns=(0, time))
        assert not unchanged(files, noted)
    files[0].write_bytes(b"longer content")
    os.utime(files[0], ns=(0, 10**18 + 7))
    assert not unchanged(files, noted)
    assert record(tmp_path / "none") is None
    assert not unchanged([tmp_path / "none"], ["None"])


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
