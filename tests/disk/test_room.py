"""What does not fit on the disk is refused with both numbers and what helps."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from models.errors import InputError
from utils.disk.room import require_room


@pytest.fixture
def disk(monkeypatch):
    """A disk with 1000 bytes free; the folders that were asked for."""
    asked = []

    def usage(path):
        asked.append(Path(path))
        return SimpleNamespace(free=1000)

    monkeypatch.setattr("shutil.disk_usage", usage)
    return asked


def test_what_fits_is_allowed_and_more_is_refused(disk, tmp_path):
    require_room(tmp_path, 1000)
    with pytest.raises(InputError) as error:
        require_room(tmp_path, 1001)
    assert str(error.value) == (
        f"{tmp_path}: needs 1.001 kB, but 1 kB are free on its disk; "
        "free some space, or choose another --data-root"
    )


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_its_parent(disk, tmp_path, monkeypatch):
    require_room(tmp_path / "new" / "er", 1)
    monkeypatch.chdir(tmp_path)
    require_room(Path("new"), 1)
    assert disk == [tmp_path, tmp_path]


def test_files_that_will_be_replaced_count_as_free_and_nothing_needs_no_room(disk, tmp_path):
    old = tmp_path / "old"
    old.write_bytes(bytes(500))
    require_room(tmp_path, 1500, replaced=[old])
    with pytest.raises(InputError, match=r"a\.zip: needs .* but 1\.5 kB are free .*; .*, or wait"):
        require_room(tmp_path, 1501, replaced=[old], source=Path("a.zip"), instead="wait")
    old.unlink()
    disk.clear()
    require_room(tmp_path, 0)
    assert not disk
