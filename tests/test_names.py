"""Names: what is a picture, what fits a list, what means the same, what is NAME_k."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.refusals import refused
from utils.images.names import (
    clean,
    composite_names,
    is_fit,
    is_picture,
    key,
    parse_composite,
    without_suffix,
)


@pytest.mark.parametrize(
    "name, expected",
    [("a.png", True), ("a.b.TIFF", True), (".a.png", False), (".png", False), ("png", False)],
)
def test_a_picture_is_told_by_its_suffix_and_is_not_hidden(name, expected):
    assert is_picture(name) is expected


@given(st.text())
def test_clean_names_are_one_line_of_text_and_stay_as_they_are(name):
    line = clean(name)
    assert line.encode() and line.splitlines() == [line] and clean(line) == line
    assert is_fit(line)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_one_name_written_differently_has_one_key(name):
    assert key(key(name)) == key(name) == key(f"{name}.PNG") == key(f"{name}.jpg.Png")


def test_one_name_has_one_key_with_whatever_blank_and_accent():
    for name in ("a\u00a0\u00e9", "a\u3000e\u0301", "A\u202f\u00c9", "a\u2009E\u0301"):
        assert key(name) == key("a \u00e9")


def test_only_the_suffix_of_a_picture_is_left_out():
    assert [without_suffix(n) for n in ("a.png", "a.jpg.png", "hair.v2", ".png", "a.JPEG")] == [
        *("a", "a.jpg", "hair.v2", ".png", "a")
    ]


@given(st.text(min_size=1), st.integers(0, 10**6))
def test_composites_are_parsed_as_they_are_named(name, k):
    assert parse_composite(f"{name}_{k}") == (name, k)
    assert parse_composite(f"{name}_{k}", {name}) == (name, k)
    assert parse_composite(f"{name}_{k}", set()) is None


@pytest.mark.parametrize(
    "text", ["cat", "cat_", "cat_07", "cat_-1", "cat_x", "cat_1.png", "cat_²", "_1"]
)
def test_other_names_are_no_composites(text):
    assert parse_composite(text) is None


def test_composites_are_numbered_from_0_and_there_is_one_at_least():
    assert composite_names("cat", 2) == ["cat_0", "cat_1"]
    assert "0 composites for each" in refused(composite_names, "cat", 0)
