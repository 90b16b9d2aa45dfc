"""Which pictures a test scores, where its results go, and how many processes score."""

from pathlib import Path

import pytest

from models.errors import InputError
from tests.sets import TEST_SIZES, write_test_set
from utils.config.options import Config
from utils.score.request import default_out, find_sets
from utils.score.scoring import FEW, default_workers

CONFIG = Config(save_dir="mine")


def test_folders_a_whole_set_and_saved_mattes_are_found(tmp_path):
    folders = write_test_set(tmp_path)
    image, alpha, trimap, pred = folders.values()
    named = find_sets(CONFIG, image, alpha, trimap)
    assert list(named) == [""] and [p.name for p in named[""]] == list(TEST_SIZES)
    assert find_sets(CONFIG, whole=tmp_path) == named
    saved = find_sets(CONFIG, None, alpha, trimap, pred)
    assert [p.matte.parent for p in saved[""]] == 3 * [pred]
    assert [p.matte for p in find_sets(CONFIG, pred=pred, whole=tmp_path)[""]] == [
        p.matte for p in saved[""]
    ]


def test_without_folders_it_is_the_composed_set_of_the_config(tmp_path):
    config = Config.model_validate({"data": {"root": str(tmp_path), "dataset": "tiny"}})
    with pytest.raises(InputError, match=r"tiny/test/composed: no test set; compose it with"):
        find_sets(config)
    write_test_set(tmp_path / "tiny" / "test" / "composed")
    assert [p.name for p in find_sets(config)[""]] == list(TEST_SIZES)


@pytest.mark.parametrize(
    ("options", "out"),
    [
        ({}, "result/mine/test"),
        ({"named": True}, "result/mine/test"),
        ({"whole": Path("sets/aim")}, "result/mine/test-aim"),
        ({"whole": Path("sets/aim"), "named": True}, "result/test/aim"),
        ({"image": Path("a/x"), "alpha": Path("a/y"), "trimap": Path("a/z")}, "result/mine/test-a"),
        ({"image": Path("a/x"), "trimap": Path("b/z")}, "result/mine/test-x"),
        (
            {"image": Path("a/x"), "alpha": Path("a/y"), "trimap": Path("a/z"), "named": True},
            "result/test/a",
        ),
        (
            {"image": Path("a/x"), "alpha": Path("b/y"), "trimap": Path("a/z"), "named": True},
            "result/test/x",
        ),
    ],
)
def test_results_go_to_a_folder_of_their_networks_and_pictures(options, out):
    assert default_out(CONFIG, **options) == Path(out)


def test_processes_are_for_sets_that_are_worth_their_start(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    few, many = (FEW - 1) * [None], FEW * [None]
    assert default_workers({"": few}) == 0
    assert default_workers({"Trimap1": few, "Trimap2": many}) == 5
