"""The colours that a cut-out hides are found, and those that it shows stay."""

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.sets import disc, picture
from tests.sources import refused, text
from utils.data.importers.colours import colour_warning, hidden_colours
from utils.data.importers.importing import import_set
from utils.images.reading import read_alpha, read_image
from utils.images.writing import write_image


@pytest.fixture(scope="module")
def cutout() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Known colours, a soft matte, and what a program stores: the hidden black, 8-bit products."""
    truth, alpha = picture(3, 480, 640)[180:300, 240:400], disc(120, 160, softness=30)
    product = np.rint(truth * (alpha[..., None] / 255.0))
    stored = np.rint(product * 255 / np.maximum(alpha, 1)[..., None]).clip(0, 255)
    return truth, alpha, stored.astype(np.uint8)


def test_hidden_colours_are_near_the_truth_and_visible_ones_stay(cutout):
    truth, alpha, stored = cutout
    colours = hidden_colours(stored, alpha)
    error = np.abs(colours.astype(int) - truth).mean(axis=2)
    before = np.abs(stored.astype(int) - truth).mean(axis=2)
    assert np.array_equal(colours[alpha >= 16], stored[alpha >= 16])
    assert error[(alpha >= 16) & (alpha < 255)].mean() < 1.5
    faint = (alpha > 0) & (alpha < 16)
    assert error[faint].mean() < 0.6 * before[faint].mean()
    near = (cv2.dilate(alpha, np.ones((9, 9))) > 0) & (alpha == 0)
    assert error[near].mean() < 10 < 60 < before[near].mean()


def test_faint_and_fully_visible_cutouts_keep_their_colours(cutout):
    _, alpha, stored = cutout
    faint = np.minimum(alpha, 9)
    assert np.array_equal(hidden_colours(stored, faint)[faint == 9], stored[faint == 9])
    assert np.array_equal(hidden_colours(stored, np.maximum(alpha, 99)), stored)


@pytest.mark.parametrize("name", ["cat.png", "cat.webp"])
def test_cutouts_become_colours_and_mattes(cutout, tmp_path, name):
    _, alpha, stored = cutout
    (tmp_path / "in").mkdir()
    options = {"lossless": True, "exact": True} if name.endswith("webp") else {}
    Image.fromarray(np.dstack((stored, alpha))).save(tmp_path / "in" / name, **options)
    root = tmp_path / "set"
    summary = import_set("cutouts", tmp_path / "in", root, part="train")
    assert summary.folders == {"train/fg": 1, "train/alpha": 1}
    assert np.array_equal(read_alpha(root / "train/alpha/cat.png"), alpha)
    assert np.array_equal(read_image(root / "train/fg/cat.png"), hidden_colours(stored, alpha))


def test_every_file_that_is_no_cutout_is_listed_before_work(cutout, tmp_path, caplog):
    _, alpha, stored = cutout
    folder = tmp_path / "in"
    write_image(folder / "good.png", np.dstack((stored, alpha)))
    write_image(folder / "rgb.png", stored)
    write_image(folder / "opaque.png", np.dstack((stored, np.full_like(alpha, 255))))
    write_image(folder / "empty.png", np.dstack((stored, np.zeros_like(alpha))))
    text(folder / "broken.png", (folder / "good.png").read_bytes()[:900])
    message = refused("cutouts", folder, tmp_path / "set", part="train")
    assert "(and 3 more, all listed above)" in message
    for words in (
        "rgb.png has no alpha channel",
        "the alpha of opaque.png is 255",
        "the alpha of empty.png is 0",
        "broken.png: the file is truncated",
    ):
        assert words in caplog.text
    assert not (tmp_path / "set").exists()


def test_cutouts_without_pymatting_say_how_to_get_it(tmp_path, monkeypatch):
    write_image(tmp_path / "in/a.png", picture(0, 8, 8))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    message = refused("cutouts", tmp_path / "in", tmp_path / "set", part="train")
    assert "pip install pymatting" in message


def test_colours_that_are_not_the_foregrounds_alone_are_suspected(cutout):
    truth, alpha, stored = cutout
    assert colour_warning(stored, alpha) is None
    product = (truth * (alpha[..., None] / 255.0)).astype(np.uint8)
    assert "multiplied" in colour_warning(product, alpha)
    photograph = np.random.default_rng(0).integers(0, 256, truth.shape, np.uint8)
    assert "a picture is left" in colour_warning(photograph, alpha)
