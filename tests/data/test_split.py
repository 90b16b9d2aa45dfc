"""The split is a partition, by foreground or composite, the same for one seed, never empty."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.refusals import refused
from tests.scripts import main, refusal
from utils.data.split import Split, read_split, split, write_split


def lay_out(root: Path, names: list[str]) -> Path:
    for kind in ("fg", "alpha"):
        (root / "train" / kind).mkdir(parents=True)
        for name in names:
            (root / "train" / kind / f"{name}.png").touch()
    return root


@given(
    st.sets(st.text("abc123", min_size=1, max_size=5), min_size=2, max_size=40),
    st.floats(0.001, 0.999),
    st.integers(0, 2**32),
)
@settings(max_examples=80)
def test_split_is_a_partition_that_ignores_the_order(names, share, seed):
    train, valid = split(names, share, seed)
    assert train and valid
    assert sorted(train + valid) == sorted(names)
    assert len(valid) == min(max(round(share * len(names)), 1), len(names) - 1)
    assert split(sorted(names, reverse=True), share, seed) == (train, valid)


def test_split_depends_on_the_seed():
    names = [f"{i:03}" for i in range(100)]
    assert split(names, 0.1, 1) != split(names, 0.1, 0)


def test_impossible_splits_are_refused():
    assert "at least 2 foregrounds" in refused(split, ["a"], 0.5, 0)
    assert "valid share 1" in refused(split, ["a", "b"], 1, 0)
    assert "seed -1" in refused(split, ["a", "b"], 0.5, -1)


def test_written_split_is_read_back_that_of_composites_with_its_numbers_in_order(tmp_path):
    lay_out(tmp_path, ["cat", "cat_1", "Käfer 7"])
    written = write_split(tmp_path, 0.25, 3)
    assert read_split(tmp_path) == written
    assert list(written.train) == sorted(written.train) and set(written.valid.values()) == {None}
    written = write_split(tmp_path, 0.25, 3, per_foreground=12)
    assert read_split(tmp_path) == written
    for name in ("cat", "cat_1", "Käfer 7"):
        train, valid = written.train[name], written.valid.get(name, [])
        assert train == sorted(train)
        assert sorted(train + valid) == list(range(12))
    assert sum(map(len, written.valid.values())) == 9


def test_kind_of_a_split_is_told_from_all_lines(tmp_path):
    lay_out(tmp_path, ["cat", "cat_0", "cat_1"])
    (tmp_path / "train_names.txt").write_text("cat_0\n")
    (tmp_path / "valid_names.txt").write_text("cat_1\n")
    assert read_split(tmp_path) == Split({"cat_0": None}, {"cat_1": None})
    (tmp_path / "train_names.txt").write_text("cat_0_3\ncat_0\n\n")
    assert read_split(tmp_path) == Split({"cat": [0], "cat_0": [3]}, {"cat": [1]})


@pytest.mark.parametrize("line", ["a", "z_1"])
def test_line_that_is_no_composite_is_named_with_its_file(tmp_path, line):
    write_split(lay_out(tmp_path, ["a", "b"]), 0.5, 0, per_foreground=2)
    with (tmp_path / "valid_names.txt").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    message = refused(read_split, tmp_path)
    assert f"valid_names.txt: lists {line}, which is no composite NAME_k" in message
    assert "--by composite again" in message


def test_lists_written_by_hand_find_their_foregrounds(tmp_path):
    lay_out(tmp_path, ["a b", "c", "\u00e9"])
    (tmp_path / "train_names.txt").write_text("\ufefffg\\c\ne\u0301\n", encoding="utf-8")
    (tmp_path / "valid_names.txt").write_text("train/fg/a\u00a0b\n", encoding="utf-8")
    assert read_split(tmp_path) == Split({"c": None, "\u00e9": None}, {"a b": None})
    (tmp_path / "train_names.txt").write_text("fg\\c_0\n")
    (tmp_path / "valid_names.txt").write_text("a\u3000b_1\n", encoding="utf-8")
    assert read_split(tmp_path) == Split({"c": [0]}, {"a b": [1]})


@pytest.mark.parametrize(
    ("train", "valid", "words"),
    [
        ("a_0\nb_1\n", "a_1\nb_1\n", "b_1 is in train_names.txt too"),
        ("a\nz\n", "b\n", "lists z"),
        ("a\n", "\n", "valid_names.txt: holds no names"),
    ],
)
def test_lists_that_cannot_be_are_refused(tmp_path, train, valid, words):
    lay_out(tmp_path, ["a", "b"])
    (tmp_path / "train_names.txt").write_text(train)
    (tmp_path / "valid_names.txt").write_text(valid)
    assert words in refused(read_split, tmp_path)


def test_all_problems_of_the_lists_are_found_and_none_says_to_run_data_gen(tmp_path):
    message = refused(read_split, lay_out(tmp_path / "mine", ["a", "b"]))
    assert "train_names.txt" in message and "data_gen.py --dataset mine" in message
    (tmp_path / "train_names.txt").write_text("a\nq\nz\nb\n")
    read_split(tmp_path, ["a", "b"], problems := [])
    assert len(problems) == 3  # q, z and no other list
    (tmp_path / "valid_names.txt").write_text("b\na\n")
    read_split(tmp_path, ["a", "b"], problems := [])
    assert len(problems) == 4


# --- data_gen.py ----------------------------------------------------------------------------------


@pytest.fixture
def where(tmp_path) -> tuple[str, ...]:
    """The options that name a data set of ten foregrounds."""
    lay_out(tmp_path / "mine", list("abcdefghij"))
    return ("--dataset", "mine", "--data-root", str(tmp_path))


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
    assert not list(tmp_path.rglob("*_names.txt"))
