"""Files on the disk: whether they changed, end when they are read, and can be written."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.refusals import refused
from tests.scripts import refusal
from tests.sets import write_set, write_test_set
from utils import config
from utils.data.check import check_set
from utils.disk.files import record, require_folder, require_target, unchanged
from utils.images.names import read_names
from utils.images.reading import image_size, matte_size, read_image, read_matte


@pytest.fixture
def files(tmp_path):
    for name in ("a.png", "b c.png"):
        (tmp_path / name).write_bytes(b"content")
        os.utime(tmp_path / name, ns=(0, 10**18 + 7))
    return [tmp_path / "a.png", tmp_path / "b c.png"]


@pytest.fixture(autouse=True)
def within_seconds() -> Iterator[None]:
    """Who reads a pipe waits for ever."""

    def late(*_):
        raise TimeoutError("still waiting")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


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


# --- does it end? -------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [read_image, image_size, read_matte, read_names, config.load])
def test_a_pipe_is_no_file(tmp_path, read):
    assert "is a named pipe, no file; " in refused(read, pipe(tmp_path / "a.png"))


def test_a_pipe_or_a_device_in_place_of_an_array_or_a_config_is_no_file(tmp_path):
    for read in (read_matte, matte_size):
        assert "is a named pipe" in refused(read, pipe(tmp_path / "a.npy"))
    assert "/dev/zero: is a device, no file" in refused(config.load, "/dev/zero")


def test_pipes_in_a_data_set_are_problems_like_others(tmp_path):
    root = write_set(tmp_path / "set")
    pipes = [
        pipe(root / path)
        for path in ("train/fg/train0.png", "test/bg/test0.png", "train_names.txt")
    ]
    found = "\n".join(check_set(root))
    assert all(f"{path}: is a named pipe" in found for path in pipes)


def test_a_pipe_among_saved_mattes_is_named(tmp_path):
    folders = write_test_set(tmp_path)
    path = pipe(folders["pred"] / "a.png")
    kinds = [one for kind in ("pred", "alpha", "trimap") for one in (f"--{kind}", folders[kind])]
    assert f"{path}: is a named pipe" in refusal("test.py", *kinds)


# --- can it be written? -------------------------------------------------------------------------


def test_a_file_that_will_be_written_is_no_folder_no_pipe_and_not_read(tmp_path):
    target = tmp_path / "new" / "a.json"
    require_target("--json", target)
    require_target("--json", None)
    assert not target.parent.exists()
    assert f"--json {tmp_path}: is a folder; name a file" in refused(
        require_target, "--json", tmp_path
    )
    assert "is a named pipe" in refused(require_target, "--json", pipe(tmp_path / "pipe"))
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
