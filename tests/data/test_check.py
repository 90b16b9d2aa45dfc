"""A check finds every fault of a data set in one go, each in one line, and none where none is."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.refusals import refused
from tests.sets import disc, picture, write_set
from utils.data.check import check_set
from utils.data.split import write_split
from utils.images.trimap import make_trimap
from utils.images.writing import write_image


@pytest.fixture
def root(tmp_path) -> Path:
    root = write_set(tmp_path / "mine", train=3, test=2)
    for index in range(2):
        write_image(root / "test" / "fg" / f"test{index}.png", picture(50 + index, 72, 88))
    write_split(root, 0.4, seed=0)
    return root


def trimap(height: int = 72, width: int = 88) -> np.ndarray:
    return make_trimap(disc(height, width), 5)


def found(root: Path, **options) -> list[str]:
    problems = check_set(root, **options)
    assert not any("\n" in problem for problem in problems)
    return [problem.replace(f"{root}/", "") for problem in problems]


def test_sound_set_has_no_problems_and_is_summed_up(root, caplog):
    write_image(root / "test" / "trimap" / "test0.png", trimap())
    with caplog.at_level(logging.INFO):
        assert found(root) == []
    for part in ("train/fg 3", "train/alpha 3", "train/bg 3", "test/trimap 1", "0 problems"):
        assert part in caplog.text


def test_every_fault_is_listed_not_only_the_first(root):
    train, test = root / "train", root / "test"
    (train / "alpha" / "train0.png").unlink()
    (train / "fg" / "train1.png").unlink()
    (train / "fg" / "train2.png").write_bytes(b"")
    write_image(train / "fg" / "train2.jpg", picture(2, 72, 88))
    whole = (train / "bg" / "train0.png").read_bytes()
    (train / "bg" / "train0.png").write_bytes(whole[: len(whole) // 2])
    (train / "bg" / "train1.png").write_bytes(b"not a picture")
    (train / "bg" / "d.avif").touch()
    write_image(test / "alpha" / "test0.png", disc(72, 80))
    write_image(test / "alpha" / "test1.png", picture(0, 72, 88))
    problems = found(root)
    for beginning, said in (
        ("train/fg/train0.png: ", "no file of the same name in train/alpha"),
        ("train/alpha/train1.png: ", "no file of the same name in train/fg"),
        ("train/fg: ", "train2.jpg and train2.png have the same name"),
        ("train/bg/train0.png: ", "truncated"),
        ("train/bg/train1.png: ", "not a whole picture"),
        ("train/bg/d.avif: ", ".avif is not read here"),
        ("test/fg/test0.png ", "is 88 x 72, but test/alpha/test0.png is 80 x 72"),
        ("test/alpha/test1.png: ", "a matte must be grey"),
    ):
        assert [one for one in problems if one.startswith(beginning) and said in one], said
    split = [one for one in problems if "_names.txt: lists train1" in one]
    assert len(split) == 1 and len(problems) == 9


def test_constant_mattes_are_listed_unless_they_are_half_transparent(root):
    for index, value in enumerate((0, 77, 255)):
        path = root / "train" / "alpha" / f"train{index}.png"
        write_image(path, np.full((72, 88), value, np.uint8))
    first, second = found(root)
    assert first.startswith("train/alpha/train0.png: 0 everywhere")
    assert second.startswith("train/alpha/train2.png: 255 everywhere")


def test_trimaps_are_compared_with_their_foreground(root):
    folder = root / "test" / "trimap"
    write_image(folder / "test0_0.png", trimap(72, 80))
    write_image(folder / "test0_1.png", np.zeros((72, 88), np.uint8))
    write_image(folder / "test0_2.png", disc(72, 88, softness=40))
    write_image(folder / "test0_11.png", np.where(trimap() == 128, np.uint8(128), 255 - trimap()))
    write_image(folder / "other_1.png", trimap())
    (folder / "test1.png").write_bytes(b"")
    beginnings = (
        "other_1.png: belongs to no foreground",
        "test0_0.png is 80 x 72, but test/fg/test0.png is 88 x 72",
        "test0_1.png: the trimap has no unknown pixels",
        "test0_11.png: 100 % of its known pixels contradict test/alpha/test0.png",
        "test0_2.png: no trimap",
        "test1.png: the file is empty",
    )
    for problem, beginning in zip(found(root), beginnings, strict=True):
        assert problem.startswith(f"test/trimap/{beginning}")


@pytest.mark.parametrize(("copy", "use"), [("test/fg/test0", "test"), ("train/fg/v", "validation")])
def test_a_foreground_that_is_trained_on_under_another_name_is_listed(root, copy, use):
    for path in ("train/fg/v", "train/alpha/v"):
        shutil.copy(root / "test" / Path(path).parent.name / "test1.png", root / f"{path}.png")
    (root / "train_names.txt").write_text("train0\ntrain1\ntrain2\n")
    (root / "valid_names.txt").write_text("v\n")
    (root / "test/fg/test1.png").unlink()
    (root / "test/alpha/test1.png").unlink()
    assert found(root) == []
    shutil.copy(root / "train" / "fg" / "train1.png", root / f"{copy}.png")
    (problem,) = found(root)
    said = f"{copy}.png: the same picture as train/fg/train1.png, so the {use} is on what was"
    assert problem.startswith(said)


def test_lists_of_names_are_followed_to_the_end(root):
    (root / "test" / "test_fg_names.txt").write_text("test0.png\nx.png\ny.png\ntest0.png\n")
    (root / "test" / "test_bg_names.txt").write_text("z.jpg\n")
    (root / "valid_names.txt").write_text("q\n")
    assert [one.split(";")[0] for one in found(root)] == [
        "test/test_bg_names.txt: lists z.jpg, which is not in test/bg",
        "test/test_fg_names.txt: lists test0 twice",
        "test/test_fg_names.txt: lists x.png, which is not in test/fg",
        "test/test_fg_names.txt: lists y.png, which is not in test/fg",
        "valid_names.txt: lists q, which is not in train/fg",
    ]


def test_missing_and_empty_folders_are_listed_and_a_set_of_neither_part_is_refused(root):
    for path in (root / "train" / "fg").iterdir():
        path.unlink()
    shutil.rmtree(root / "test" / "bg")
    problems = found(root)
    assert [one for one in problems if one.startswith("train/fg: no pictures in it")]
    assert [one for one in problems if one.startswith("test/bg: no such folder")]
    assert len(problems) == 5  # the three mattes of train have no foreground
    shutil.rmtree(root / "train")
    assert len(found(root)) == 1
    shutil.rmtree(root / "test")
    assert "neither train nor test" in refused(check_set, root)
