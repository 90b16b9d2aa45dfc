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


# --- has it changed? ----------------------------------------------------------------------------


def test_a_record_tells_name_size_and_nanoseconds(files):
    assert record(files[1]) == ("b c.png", 7, 10**18 + 7)
    assert str(record(files[1])) == "b c.png 7 1000000000000000007"


def test_what_is_not_there_has_no_record_and_is_never_unchanged(files, tmp_path):
    assert record(tmp_path / "none") is None
    noted = [str(record(path)) for path in (*files, tmp_path / "none")]
    assert not unchanged([*files, tmp_path / "none"], noted)


@pytest.mark.parametrize("time", [10**18 + 6, 10**18 + 8, 0, 4 * 10**18])
def test_another_time_is_a_change_whether_it_is_later_or_earlier(files, time):
    noted = [str(record(path)) for path in files]
    assert unchanged(files, noted)
    os.utime(files[0], ns=(0, time))
    assert not unchanged(files, noted)


def test_another_size_name_or_number_of_files_is_a_change(files):
    noted = [str(record(path)) for path in files]
    assert not unchanged(files[:1], noted) and not unchanged(files, noted[:1])
    assert not unchanged(files[::-1], noted)
    files[0].write_bytes(b"longer content")
    os.utime(files[0], ns=(0, 10**18 + 7))
    assert not unchanged(files, noted)


# --- can it be written? -------------------------------------------------------------------------


def test_a_file_that_will_be_written_is_no_folder_no_pipe_and_not_read(tmp_path):
    target = tmp_path / "new" / "a.json"
    require_target("--json", target)
    require_target("--json", None)
    assert not target.parent.exists()
    assert f"--json {tmp_path}: is a folder; name a file" in refused(
        require_target, "--json", tmp_path
    )
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe or a device" in refused(require_target, "--json", tmp_path / "pipe")
    (tmp_path / "a.png").touch()
    for read in (tmp_path / "a.png", tmp_path):
        message = refused(require_target, "--out", tmp_path / "a.png", [read])
        assert "is read, too, and would be replaced; name another file" in message


@pytest.mark.parametrize("require", [require_target, require_folder])
def test_what_cannot_be_written_is_named_with_its_option(tmp_path, monkeypatch, require):
    (tmp_path / "file").touch()
    message = refused(require, "--out", tmp_path / "file" / "below" / "a")
    assert message == f"--out {tmp_path}/file/below/a: {tmp_path}/file is no folder; name another"

    def denied(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    assert "cannot be written (Permission denied)" in refused(require, "--out", tmp_path / "new/a")


def test_a_folder_that_will_be_written_is_no_file(tmp_path):
    (tmp_path / "file").touch()
    assert "is a file; name a folder" in refused(require_folder, "--out", tmp_path / "file")
    require_folder("--out", tmp_path)
    require_folder("--out", None)
