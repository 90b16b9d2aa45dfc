"""Folders are found by any of their names, in any case."""

from utils.images.layouts import LAYOUTS, child, children, descend, folder_key


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
