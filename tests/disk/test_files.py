"""A file has changed if its name, size or time is another one, later or earlier."""

import os

import pytest

from utils.disk.files import record, unchanged


@pytest.fixture
def files(tmp_path):
    for name in ("a.png", "b c.png"):
        (tmp_path / name).write_bytes(b"content")
        os.utime(tmp_path / name, ns=(0, 10**18 + 7))
    return [tmp_path / "a.png", tmp_path / "b c.png"]


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
