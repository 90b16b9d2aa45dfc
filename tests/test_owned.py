"""We replace and remove what we made; what is the user's stays as it is."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tests.refusals import refused
from tests.scripts import refusal
from tests.sets import picture, write_set
from utils.data.compose.composites import compose_test_set, compose_training_set
from utils.data.folders import backgrounds
from utils.data.split import write_split
from utils.data.store import build_store
from utils.images.writing import write_image
from utils.render import render


@pytest.fixture
def root(tmp_path) -> Path:
    return write_set(tmp_path / "set", train=2, test=2)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def compose(root: Path) -> Path:
    return compose_test_set(root, backgrounds(root, "test"), per_foreground=2)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_picture_among_the_composites_stays(root, part, when):
    def compose() -> Path:
        behind = backgrounds(root, part)
        return (compose_test_set if part == "test" else compose_training_set)(root, behind, 2)

    mine = root / part / ("composed/image" if part == "test" else "merged") / "mine.png"
    if when == "after":
        compose()
    write_image(mine, picture(1, 9, 9))
    before = content(mine.parent)
    assert "mine.png: was not made here" in refused(compose)
    assert content(mine.parent) == before


def test_files_of_others_in_the_store_stay(root):
    store = build_store(root)
    (store / "notes.txt").write_text("mine")
    array = {"a": np.zeros(3)}
    safetensors.numpy.save_file(array, store / "mine.safetensors")
    (store / "garbage.safetensors").write_bytes(b"mine")
    build_store(root)
    assert len(content(store)) == 5


def test_the_sample_is_not_rendered_into_a_set_of_ones_own(root):
    before = content(root)
    assert "fg/train0.png: is none of the sample" in refused(render, root, workers=1)
    assert content(root) == before


def test_a_list_made_by_hand_is_kept_beside_the_one_that_replaces_it(root, caplog):
    caplog.set_level("INFO")
    (root / "train_names.txt").write_text("train0\ntrain1\n")
    write_split(root, 0.5, seed=0)
    assert (root / "train_names.before.txt").read_text() == "train0\ntrain1\n"
    assert "another list was there, which is train_names.before.txt now" in caplog.text
    caplog.clear()
    write_split(root, 0.5, seed=0)
    assert not caplog.text and not (root / "valid_names.before.txt").exists()


def test_half_an_item_of_the_sample_is_completed_and_not_replaced(tmp_path):
    mine = tmp_path / "train" / "fg" / "hair_000.png"
    write_image(mine, picture(0, 9, 9))
    before = mine.read_bytes()
    render(tmp_path, workers=1, foregrounds=(1, 0), backgrounds=(0, 0), size=64, progress=False)
    assert mine.read_bytes() == before and (tmp_path / "train/alpha/hair_000.png").exists()


@pytest.mark.parametrize("named", [(), ("--dataset", "sample")])
def test_an_import_says_which_data_set_it_is_for(tmp_path, root, named):
    source = ("--from", root / "train", "--kind", "pairs", "--part", "train")
    told = refusal("pre_process.py", "--data-root", tmp_path / "data", *source, *named)
    assert "goes to a data set of your own; name it with --dataset" in told
    assert not (tmp_path / "data").exists()
