"""Foregrounds and mattes are matched by name; what has no partner is named."""

from pathlib import Path

from tests.refusals import refused
from utils.data.folders import backgrounds, foregrounds


def lay_out(root: Path, part: str, fg: list[str], alpha: list[str], bg: list[str]) -> Path:
    """Empty files: matching looks at names only."""
    for kind, names in (("fg", fg), ("alpha", alpha), ("bg", bg)):
        (root / part / kind).mkdir(parents=True)
        for name in names:
            (root / part / kind / name).touch()
    return root


def test_names_in_composed_and_decomposed_form_are_one(tmp_path):
    """macOS writes the accent as a character of its own (NFD), other systems do not."""
    lay_out(tmp_path, "test", ["Ka\u0308fer.png"], ["K\u00e4fer.png"], ["e\u0301.jpg"])
    (one,) = foregrounds(tmp_path, "test")
    assert one.name == "Ka\u0308fer" and one.fg.exists() and one.alpha.exists()
    (tmp_path / "test" / "test_fg_names.txt").write_text("Ka\u0308fer.png\n", encoding="utf-8")
    (tmp_path / "test" / "test_bg_names.txt").write_text("\u00e9.jpg\n", encoding="utf-8")
    assert foregrounds(tmp_path, "test") == [one]
    assert len(backgrounds(tmp_path, "test")) == 1


def test_backgrounds_are_the_sets_own_or_those_of_a_folder_which_a_list_of_others_leaves(tmp_path):
    root = lay_out(tmp_path / "set", "train", [], [], ["b.jpg", "a.jpg"])
    other = lay_out(tmp_path / "other", "train", [], [], ["x.jpg", "y.jpg"]) / "train" / "bg"
    assert [path.name for path in backgrounds(root, "train")] == ["a.jpg", "b.jpg"]
    (root / "train" / "train_bg_names.txt").write_text("b.jpg\na.jpg\n")
    assert backgrounds(root, "train", other) == [other / "x.jpg", other / "y.jpg"]
    (other / "a.jpg").touch()
    assert "lists b.jpg, which is not in" in refused(backgrounds, root, "train", other)
    assert [path.name for path in backgrounds(root, "train")] == ["b.jpg", "a.jpg"]
