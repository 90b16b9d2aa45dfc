"""Names, and the folders and lists that hold them: what is read, what is refused, what is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.refusals import refused
from utils.images.names import (
    is_visible,
    list_images,
    name_key,
    parse_composite,
    pictures_in,
    read_names,
    write_names,
)


@pytest.mark.parametrize("name", ["@eaDir", "$RECYCLE.BIN", "__MACOSX", ".Trash-1000"])
def test_thumbnails_and_bins_of_systems_are_hidden_and_names_that_begin_alike_are_not(name):
    assert not is_visible(name)
    assert is_visible(f"{name[1:]}s") and is_visible("@cat.jpg") and is_visible("#1.png")


@given(st.text("aBe\u0301\u00e9\u00c97.jpg", min_size=1))
def test_one_name_written_differently_has_one_key(name):
    assert (
        name_key(name_key(name))
        == name_key(name)
        == name_key(f"{name}.PNG")
        == name_key(f"{name}.jpg.Png")
    )
    for name in ("a\u00a0\u00e9", "A\u3000e\u0301"):  # other blanks, and the accent of macOS
        assert name_key(name) == name_key("a \u00e9")


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


def test_folder_is_listed_by_name_without_hidden_and_other_files(tmp_path):
    for name in ("b.png", "a.JPG", "c.d.png", ".e.1.png", "notes.txt"):
        (tmp_path / name).touch()
    assert list(list_images(tmp_path)) == ["a", "b", "c.d"]
    assert list_images(tmp_path)["a"] == tmp_path / "a.JPG"


def test_every_other_name_is_taken_and_found_again_in_a_list(tmp_path):
    names = ["a b", "at 1.23\u202fPM", "wide\u3000blank", "\U0001f469\u200d\U0001f33e", "hair.v2"]
    for name in names:
        (tmp_path / f"{name}.png").touch()
    images = list_images(tmp_path)
    assert set(images) == set(names)
    write_names(tmp_path / "list.txt", images)
    assert read_names(tmp_path / "list.txt") == list(images)


def test_folder_that_cannot_be_used_is_named(tmp_path):
    assert "no such folder" in refused(list_images, tmp_path / "none")
    assert "no pictures" in refused(list_images, tmp_path)
    (tmp_path / "a.png").touch()
    message = refused(list_images, tmp_path / "a.png")
    assert message == f"{tmp_path}/a.png: is a file; give the folder that holds it, {tmp_path}"
    (tmp_path / "a.jpg").touch()
    message = refused(list_images, tmp_path)
    assert "a.jpg" in message and "a.png" in message


@pytest.mark.parametrize("suffix", [".heic", ".AVIF", ".npy"])
def test_pictures_of_kinds_that_are_not_read_are_named(tmp_path, suffix):
    (tmp_path / f"b{suffix}").touch()
    said = f"b{suffix}: {suffix} is not read here; save it as PNG or JPEG, or remove it"
    (tmp_path / "a.png").touch()
    assert said in refused(list_images, tmp_path)
    problems: list[str] = []
    assert list(list_images(tmp_path, problems)) == ["a"] and len(problems) == 1


def test_a_folder_is_no_picture_and_a_broken_link_is_not_passed_over(tmp_path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    assert pictures_in(tmp_path) == [tmp_path / "b.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_list_is_read_in_every_usual_encoding(tmp_path, encoding):
    path = tmp_path / "list.txt"
    path.write_bytes("K\u00e4fer 1\r\n\r\n  b.png \n".encode(encoding))
    assert read_names(path) == ["K\u00e4fer 1", "b.png"]


def test_a_list_that_cannot_be_used_is_named(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\n \n")
    assert "list.txt: holds no names" in refused(read_names, path)
    path.write_bytes("a\nb\n".encode("utf-16"))
    assert "list.txt: no plain text; save it as UTF-8" in refused(read_names, path)
    problems: list[str] = []
    assert read_names(path, problems) == [] and len(problems) == 1
