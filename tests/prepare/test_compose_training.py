"""Training composites are those of the published code; what is there stays, none is half made."""

from pathlib import Path

import numpy as np
import pytest

from tests import refusals
from tests.sets import disc, picture, write_set
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.composites import compose_training_set
from utils.data.folders import backgrounds
from utils.images.names import list_images
from utils.images.reading import read_alpha, read_image
from utils.images.writing import write_image


@pytest.fixture
def root(tmp_path) -> Path:
    """Two foregrounds of different size, three backgrounds."""
    root = write_set(tmp_path / "mine", train=3, test=0)
    for kind in ("fg", "alpha"):
        (root / "train" / kind / "train2.png").unlink()
    write_image(root / "train" / "fg" / "train1.png", picture(7, 50, 40))
    write_image(root / "train" / "alpha" / "train1.png", disc(50, 40))
    return root


def run(root: Path, **options) -> dict[str, bytes]:
    """Compose; {name: content} of every picture that was written."""
    behind = backgrounds(root, "train")
    folder = compose_training_set(root, behind, **{"per_foreground": 2, **options})
    return {path.name: path.read_bytes() for path in list_images(folder).values()}


def refused(root: Path, **options) -> str:
    return refusals.refused(run, root, **options)


def test_foreground_i_is_over_the_next_n_backgrounds_which_begin_again(root):
    assert sorted(run(root)) == ["train0_0.png", "train0_1.png", "train1_0.png", "train1_1.png"]
    folder = root / "train"
    for name, behind in (("train0_1", 1), ("train1_0", 2), ("train1_1", 0)):
        fg = read_image(folder / "fg" / f"{name[:6]}.png")
        alpha = read_alpha(folder / "alpha" / f"{name[:6]}.png")
        bg = fit_background(read_image(folder / "bg" / f"train{behind}.png"), *alpha.shape)
        made = read_image(folder / "merged" / f"{name}.png")
        assert np.array_equal(made, compose(fg, alpha, bg))


def test_other_settings_make_all_again_and_leave_no_others(root):
    before = run(root)
    as_jpeg = run(root, suffix=".jpg")
    assert set(as_jpeg) == {name.replace("png", "jpg") for name in before}
    assert set(run(root, per_foreground=1)) == {"train0_0.png", "train1_0.png"}
    assert run(root) == before


def test_pictures_that_were_not_made_here_are_not_removed(root):
    other = root / "train" / "merged" / "0_0.png"
    write_image(other, picture(0, 8, 8))
    message = refused(root)
    assert "0_0.png" in message and "not made here" in message
    assert other.exists()
