"""Names, and the folders and lists that hold them: what is read, what is refused, what is one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.refusals import refused
from utils.images.layouts import LAYOUTS, child, children, descend, folder_key
from utils.images.names import (
    Lookup,
    by_owner,
    find_partners,
    follow,
    is_visible,
    list_images,
    name_key,
    parse_composite,
    partners,
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


# --- files that belong together -------------------------------------------------------------------


names = st.sets(st.text("aAbB.jpg_1\u00e9e\u0301", min_size=1, max_size=6), max_size=12)


def files(*names: str) -> dict[str, Path]:
    """{name: path}."""
    return {name: Path("folder") / f"{name}.png" for name in names}


@given(names, names)
def test_partners_are_mutual_and_mean_the_same(ours, theirs):
    found = partners(ours, theirs)
    assert {other: name for name, other in found.items()} == partners(theirs, ours)
    assert all(name_key(name) == name_key(other) for name, other in found.items())
    assert ours & theirs <= found.keys()


def test_the_same_name_comes_before_the_same_key_and_a_choice_is_none():
    assert partners(["a", "B.jpg"], ["A", "a", "b"]) == {"a": "a", "B.jpg": "b"}
    assert partners(["A"], ["a", "a.jpg"]) == {}


def test_every_file_without_a_partner_is_told_or_the_first_with_how_many_more():
    images, mattes = files("a", "b", "c"), files("b")
    assert refused(find_partners, images, mattes, Path("alpha")) == (
        "folder/a.png: no file of the same name in alpha; add it, or remove this "
        "(and 1 more, all listed above)"
    )
    problems: list[str] = []
    found = find_partners(images, mattes | files("d"), Path("alpha"), problems, own=Path("image"))
    assert found == {"b": mattes["b"]}
    assert [one.split(";")[0] for one in problems] == [
        *(f"folder/{name}.png: no file of the same name in alpha" for name in "ac"),
        "folder/d.png: no file of the same name in image",
    ]


def test_a_composite_takes_its_own_partner_before_that_of_its_foreground():
    composites = files("cat_0", "cat_1", "black_cat_0")
    mattes = files("Cat", "cat_1", "black_cat")
    found = find_partners(composites, mattes, Path("alpha"), shared=True)
    assert found == {
        "cat_0": mattes["Cat"],
        "cat_1": mattes["cat_1"],
        "black_cat_0": mattes["black_cat"],
    }
    assert "cat_07.png: no file" in refused(
        find_partners, files("cat_07"), mattes, Path("alpha"), shared=True
    )


def test_a_number_belongs_to_the_longest_name_there_is():
    lookup = Lookup(["cat", "cat_1", "z.jpg"])
    assert lookup.owner("cat") == ("cat", None)
    assert lookup.owner("cat_0") == ("cat", 0)
    assert lookup.owner("CAT_1") == ("cat_1", None)
    assert lookup.owner("cat_1_2") == ("cat_1", 2)
    assert lookup.owner("z_3") == lookup.owner("z.jpg_3") == lookup.owner("Z_3.jpg") == ("z.jpg", 3)
    assert lookup.owner("cat_07") is lookup.owner("dog_1") is None


def test_files_are_sorted_by_their_owner_and_two_of_one_are_refused():
    trimaps = files("cat", "cat_1", "dog_2")
    found = by_owner(trimaps, ["cat"], problems := [])
    assert found == {("cat", None): trimaps["cat"], ("cat", 1): trimaps["cat_1"]}
    assert problems == ["folder/dog_2.png: belongs to no foreground; rename it, or remove it"]
    assert "CAT_1.png: means the same as cat_1.png" in refused(
        by_owner, files("cat_1", "CAT_1"), ["cat"]
    )


def test_a_list_may_leave_suffixes_out_or_have_older_ones_folders_and_other_blanks():
    images = files("a", "hair.v2", "z.jpg", "wide blank")
    lines = ["z.jpg.png", "A", "hair.v2", "a.tif", "train/fg/a", "C:\\fg\\wide\u3000blank.jpg"]
    order, unknown = follow([*lines, "hair", "q.png", "x/q"], images)
    assert order == ["z.jpg", "a", "hair.v2", "a", "a", "wide blank"]
    assert unknown == ["hair", "q.png", "x/q"]


# --- folders --------------------------------------------------------------------------------------


def test_the_first_name_that_is_there_is_taken_in_any_case(tmp_path):
    for name in ("GT", "Alpha", "Training Set"):
        (tmp_path / name).mkdir()
    (tmp_path / "trimap").touch()
    assert child(tmp_path, ("matte", "gt", "alpha")) == tmp_path / "GT"
    assert child(tmp_path, ("alpha", "gt")) == tmp_path / "Alpha"
    assert child(tmp_path, ("training_set",)) == tmp_path / "Training Set"
    assert children(tmp_path, ("alpha",), ("trimap",)) == [tmp_path / "Alpha", None]


def test_a_place_is_found_over_several_folders(tmp_path):
    (tmp_path / "Test" / "Composed").mkdir(parents=True)
    assert descend(tmp_path, "test/composed") == tmp_path / "Test" / "Composed"
    assert descend(tmp_path, "") == tmp_path
    assert descend(tmp_path, "test/merged") is None


def test_tables_hold_names_as_they_are_compared():
    for layout in LAYOUTS.values():
        for names in (layout.places, layout.image, layout.alpha, layout.trimap):
            assert all(name == folder_key(name) for name in names)
