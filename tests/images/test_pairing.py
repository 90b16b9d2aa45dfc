"""Files of one picture find each other by name, and NAME_k finds NAME; who is alone is named."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.refusals import refused
from utils.images.names import Lookup, by_owner, find_partners, follow, name_key, partners

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
