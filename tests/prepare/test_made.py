"""Composites hold as long as nothing that they were made of, or how, has changed."""

import os
from pathlib import Path

import pytest

from utils.data.compose.made import describe, note, outdated


@pytest.fixture
def root(tmp_path) -> Path:
    for name in ("cat", "dog", "meadow", "street"):
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / name).write_text(name)
    return tmp_path / "set"


def now(root: Path, **settings) -> dict:
    sources = {"cat_0": ["cat", "meadow"], "cat_1": ["cat", "street"], "dog_0": ["dog", "meadow"]}
    return describe(root, {k: [root / one for one in v] for k, v in sources.items()}, settings)


def old(root: Path, **settings) -> list[str]:
    """Which of four pictures are outdated."""
    pictures = [Path(f"{name}.png") for name in ("cat_0", "cat_1", "dog_0", "other_0")]
    return [path.stem for path in outdated(root / "noted", now(root, **settings), pictures)]


def test_what_is_as_it_was_noted_stays_and_what_belongs_to_none_does_not(root):
    assert len(old(root)) == 4
    note(root / "noted", now(root))
    assert old(root) == ["other_0"]


@pytest.mark.parametrize("time", [1, 9e9], ids=["older", "newer"])
def test_of_a_changed_file_only_its_own_composites_are_outdated(root, time):
    note(root / "noted", now(root))
    os.utime(root / "meadow", (time, time))
    assert old(root) == ["cat_0", "dog_0", "other_0"]
    note(root / "noted", now(root))
    assert old(root) == ["other_0"]
    (root / "dog").unlink()
    assert old(root) == ["dog_0", "other_0"]


def test_other_settings_make_all_outdated(root):
    note(root / "noted", now(root, seed=0))
    assert old(root, seed=0) == ["other_0"]
    assert len(old(root, seed=1)) == len(old(root)) == 4


def test_other_files_for_a_composite_make_it_outdated(root):
    paths = {"cat_0": [root / "cat", root / "meadow"]}
    note(root / "noted", describe(root, paths, {}))
    paths["cat_0"][1] = root / "street"
    assert outdated(root / "noted", describe(root, paths, {}), [Path("cat_0.png")])


def test_the_data_set_may_be_moved_as_a_whole(root, tmp_path):
    note(root / "noted", now(root))
    assert old(root.rename(tmp_path / "moved")) == ["other_0"]


@pytest.mark.parametrize("content", ["", "{}", '{"composites": {"cat_0": "meadow"}}', "{"])
def test_what_another_version_noted_or_a_damaged_note_makes_all_outdated(root, content):
    (root / "noted").write_text(content)
    assert len(old(root)) == 4


def test_a_note_that_says_the_same_is_not_written_again(root):
    note(root / "noted", now(root))
    before = (root / "noted").stat().st_ino, (root / "noted").stat().st_mtime_ns
    note(root / "noted", now(root))
    assert before == ((root / "noted").stat().st_ino, (root / "noted").stat().st_mtime_ns)
