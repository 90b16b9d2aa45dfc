"""pre_process.py: import, check, compose; what it prints and what it refuses."""

import shutil
from pathlib import Path

import pytest

from tests.scripts import main, refusal
from tests.sets import write_set


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working folder with the data set `tiny`."""
    write_set(tmp_path / "data" / "tiny")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pre_process(*arguments: object) -> None:
    main("pre_process.py", *arguments, "--workers", 0)


def test_a_data_set_is_prepared_and_the_next_command_is_named(here, capsys):
    pre_process("--dataset", "tiny", "--per-foreground", 3)
    assert capsys.readouterr().out.splitlines() == [
        "data/tiny/train/store: 4 training foregrounds",
        "data/tiny/test/composed: 6 composites",
        "next: python data_gen.py --dataset tiny",
    ]
    assert len(list((here / "data/tiny/test/composed/image").iterdir())) == 6


def test_a_set_for_testing_alone_is_composed_over_other_backgrounds(here, capsys):
    shutil.rmtree(here / "data/tiny/train")
    (here / "data/tiny/test/bg").rename(here / "elsewhere")
    pre_process("--dataset", "tiny", "--backgrounds", "elsewhere")
    assert capsys.readouterr().out == "data/tiny/test/composed: 40 composites\n"


def test_a_set_is_imported_checked_mended_and_merged(here, capsys):
    parts = [here / "data" / "tiny" / "train" / kind for kind in ("fg", "alpha", "bg")]
    source = here / "theirs"
    for part in parts[:2]:
        shutil.copytree(part, source / part.name)
    into = ("--dataset", "imported", "--part", "train")
    pre_process(*into, "--kind", "pairs", "--from", source, "--link")
    assert "4 train/fg, 4 train/alpha" in capsys.readouterr().out
    pre_process(*into, "--kind", "photographs", "--from", parts[2])

    check = ("--dataset", "imported", "--check")
    capsys.readouterr()
    pre_process(*check)
    assert capsys.readouterr().out == "data/imported: nothing is wrong\n"
    (source / "fg" / "train1.png").write_bytes(b"no picture")
    assert "data/imported: 1 problem" in refusal("pre_process.py", *check)
    assert capsys.readouterr().out.startswith("data/imported/train/fg/train1.png: ")
    shutil.copy(parts[0] / "train1.png", source / "fg" / "train1.png")
    pre_process("--dataset", "imported", "--merged", ".jpg", "--per-foreground", 2)
    assert len(list((here / "data/imported/train/merged").glob("*.jpg"))) == 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "gone"), "data/gone: neither train nor test is in it; put colours into"),
        (("--from", "nowhere.zip", "--kind", "distinctions-646"), "nowhere.zip"),
        (("--kind", "pairs"), "--from and --kind go together"),
        (("--part", "train"), "--part does nothing with preparing (it goes with --from)"),
        (("--check", "--link"), "--link does nothing with --check"),
        (("--merged", "--snap", 3), "--snap does nothing with --merged"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(here, arguments, words):
    assert words in refusal("pre_process.py", *arguments)
    assert [path.name for path in (here / "data").iterdir()] == ["tiny"]
