"""Which pictures a test scores: sets are known by their folders, every file finds its partners."""

from pathlib import Path

import pytest

from models.errors import InputError
from tests.sets import TEST_SIZES, disc, picture, write_test_set
from utils.config.options import Config
from utils.images.trimap import make_trimap
from utils.images.writing import write_image
from utils.score.sets import Folders, find_sets, open_set, saved_in, trimap_of

ALPHA = disc(40, 50)
TRIMAP = make_trimap(ALPHA, 4)
PHOTOGRAPH = picture(0, 40, 50)


def write(folder: Path, content, *names: str) -> None:
    for name in names:
        write_image(folder / f"{name}.png", content)


@pytest.mark.parametrize(
    "image, alpha, trimap",
    [
        ("merged", "alpha_copy", "trimaps"),
        tuple(f"Combined_Dataset/Test_set/{name}" for name in ("merged", "alpha", "trimaps")),
        ("Test/Merged", "Test/GT", "Test/Trimap"),
        ("original", "mask", "trimap"),
        ("blurred_image", "mask", "trimap"),
        ("image", "alpha", "trimap"),
        ("Test/low_composited_images", "Test/alpha_copy", "Test/trimap_copy"),
    ],
)
def test_a_set_is_recognised_wherever_its_folders_lie(tmp_path, image, alpha, trimap):
    for folder, content in ((image, PHOTOGRAPH), (alpha, ALPHA), (trimap, TRIMAP)):
        write(tmp_path / folder, content, "a", "b")
    (one,) = open_set(tmp_path).values()
    assert [p.name for p in one] == ["a", "b"]
    assert [f.parent for f in one[0].files] == [tmp_path / f for f in (image, alpha, trimap)]


@pytest.mark.parametrize(
    ("image", "alpha", "layout"),
    [
        ("image", "matte", "ppm"),
        ("image", "alpha", "rwp"),
        ("img", "mask", "refmatte"),
    ],
)
def test_a_set_without_trimaps_has_them_made_from_the_truth(tmp_path, image, alpha, layout):
    write(tmp_path / image, PHOTOGRAPH, "a")
    write(tmp_path / alpha, ALPHA, "a")
    for chosen in (None, layout):
        (one,) = open_set(tmp_path, chosen, radius=4)[""]
        assert one.trimap is None and one.radius == 4
        assert (trimap_of(one) == TRIMAP).all()
    write(tmp_path / "trimap", TRIMAP, "a")
    (one,) = open_set(tmp_path)[""]
    assert one.trimap.parent.name == "trimap"


def test_composites_may_share_the_matte_of_their_foreground(tmp_path):
    write(tmp_path / "merged", PHOTOGRAPH, "cat_0", "cat_1", "black_cat_0")
    write(tmp_path / "alpha", ALPHA, "cat", "black_cat")
    write(tmp_path / "trimaps", TRIMAP, "cat_0", "cat_1", "black_cat")
    (one,) = open_set(tmp_path).values()
    found = {p.name: (p.alpha.stem, p.trimap.stem) for p in one}
    assert found == {
        "cat_0": ("cat", "cat_0"),
        "cat_1": ("cat", "cat_1"),
        "black_cat_0": ("black_cat", "black_cat"),
    }


def test_ones_own_set_shares_nothing(tmp_path):
    write(tmp_path / "image", PHOTOGRAPH, "cat_0")
    write(tmp_path / "alpha", ALPHA, "cat")
    write(tmp_path / "trimap", TRIMAP, "cat")
    assert len(open_set(tmp_path, "composition-1k")[""]) == 1
    with pytest.raises(InputError, match=r"cat_0\.png: no file of the same name in .*alpha;"):
        open_set(tmp_path, "own")


def test_each_kind_of_trimaps_is_a_row_of_its_own(tmp_path):
    write(tmp_path / "input", PHOTOGRAPH, "GT01")
    write(tmp_path / "gt", ALPHA, "GT01")
    for kind in ("Trimap1", "trimap3"):
        write(tmp_path / "trimap_lowres" / kind, TRIMAP, "GT01")
    sets = open_set(tmp_path)
    assert list(sets) == ["Trimap1", "Trimap3"]
    assert sets["Trimap3"][0].trimap.parent.name == "trimap3"
    assert sets["Trimap1"][0].alpha.parent.name == "gt"

    for kind in sets:
        write(tmp_path / "ours" / kind.lower(), ALPHA, "GT01")
    saved = saved_in(sets, tmp_path / "ours")
    assert saved["Trimap1"][0].matte == tmp_path / "ours" / "trimap1" / "GT01.png"
    with pytest.raises(InputError, match=r"input: no folder Trimap1 in it; the set has 2 kinds"):
        saved_in(sets, tmp_path / "input")


def test_a_set_with_one_file_too_many_is_refused_whichever_it_is(tmp_path):
    folders = {"original": PHOTOGRAPH, "mask": ALPHA, "trimap": TRIMAP}
    for folder, content in folders.items():
        write(tmp_path / folder, content, "a", "b")
    write(tmp_path / "ours", ALPHA, "a", "b", "c")
    with pytest.raises(InputError, match=r"ours/c\.png: no file of the same name in .*original"):
        saved_in(open_set(tmp_path), tmp_path / "ours")
    for folder, content in folders.items():
        write(tmp_path / folder, content, "c")
        with pytest.raises(InputError, match=r"c\.png: no file of the same name in "):
            open_set(tmp_path)
        (tmp_path / folder / "c.png").unlink()


def test_what_was_looked_for_is_told(tmp_path):
    with pytest.raises(InputError, match=r"tried alphamatting, aim, .*--image, --alpha"):
        open_set(tmp_path)
    with pytest.raises(InputError, match=r"looked for original, mask, trimap"):
        open_set(tmp_path, "aim")


def test_folders_a_whole_set_and_saved_mattes_are_found(tmp_path):
    image, alpha, trimap, pred = write_test_set(tmp_path).values()
    named = find_sets(Config(), Folders(image, alpha, trimap))
    assert list(named) == [""] and [p.name for p in named[""]] == list(TEST_SIZES)
    assert named[""][0].image.suffix == ".jpg"
    assert find_sets(Config(), Folders(whole=tmp_path)) == named
    for saved in (
        find_sets(Config(), Folders(None, alpha, trimap, pred)),
        find_sets(Config(), Folders(pred=pred, whole=tmp_path)),
    ):
        assert [p.matte for p in saved[""]] == [pred / f"{name}.png" for name in TEST_SIZES]


def test_without_folders_it_is_the_composed_set_of_the_config(tmp_path):
    config = Config.model_validate({"data": {"root": str(tmp_path), "dataset": "tiny"}})
    with pytest.raises(InputError, match=r"tiny/test/composed: no test set; compose it with"):
        find_sets(config, Folders())
    write_test_set(tmp_path / "tiny" / "test" / "composed")
    assert [p.name for p in find_sets(config, Folders())[""]] == list(TEST_SIZES)
