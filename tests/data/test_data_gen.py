"""data_gen.py: what it prints and what it refuses; tests/data/test_split.py tests the split."""

from pathlib import Path

import pytest

from tests.scripts import main, refusal


@pytest.fixture
def where(tmp_path) -> tuple[str, ...]:
    """The options that name a data set of ten foregrounds."""
    for kind in ("fg", "alpha"):
        (tmp_path / "mine" / "train" / kind).mkdir(parents=True)
        for name in "abcdefghij":
            (tmp_path / "mine" / "train" / kind / f"{name}.png").touch()
    return ("--dataset", "mine", "--data-root", str(tmp_path))


def lists(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*_names.txt")]


def test_counts_are_printed_and_what_is_shared_in_a_split_by_composite(where, capsys):
    main("data_gen.py", *where, "--valid-share", 0.2)
    assert "8 train and 2 valid foregrounds" in capsys.readouterr().out
    main("data_gen.py", *where, "--by", "composite", "--valid-share", 0.2)
    said = capsys.readouterr().out
    assert "800 train and 200 valid composites; 10 foregrounds are in both lists" in said
    main("data_gen.py", *where, "--by", "composite", "--per-foreground", 3)
    assert "27 train and 3 valid composites" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by", "composite", "--per-foreground", 0), "0 composites for each"),
        (("--per-foreground", 3), "--per-foreground goes with --by composite"),
    ],
)
def test_what_cannot_be_split_is_refused(where, tmp_path, arguments, words):
    assert words in refusal("data_gen.py", *where, *arguments)
    assert not lists(tmp_path)
