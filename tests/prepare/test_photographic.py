"""Photographic composites: all that a camera does is there, and the truth stays the truth."""

import cv2
import numpy as np
import pytest

from tests.sets import disc, picture
from utils.data.compose import photographic
from utils.data.compose.arithmetic import compose_light
from utils.data.compose.composites import compose_test_set
from utils.data.compose.photographic import SIDE, painted_trimap, photograph
from utils.images.reading import read_alpha, read_image, read_trimap
from utils.images.trimap import make_trimap
from utils.images.writing import write_image

OFF = {
    "BACKGROUND_DEFOCUS": (0.0, 0.0),
    "FOREGROUND_DEFOCUS": (0.0, 0.0),
    "SHOT_NOISE": (0.0, 0.0),
    "SHARPENING": (0.0, 0.0),
    "JPEG_QUALITY": (100, 100),
}
SPECKLE = np.random.default_rng(0).integers(0, 256, (240, 160, 3), np.uint8)
FG, BEHIND = np.split(cv2.GaussianBlur(SPECKLE, (0, 0), 1.5), 2)
ALPHA = disc(120, 160)


def with_only(monkeypatch, **strengths) -> tuple[np.ndarray, np.ndarray]:
    for name, value in (OFF | strengths).items():
        monkeypatch.setattr(photographic, name, value)
    return photograph(FG, ALPHA, BEHIND, np.random.default_rng(0))


def test_without_strengths_it_is_the_mixture_of_light(monkeypatch):
    image, alpha = with_only(monkeypatch)
    assert np.array_equal(alpha, np.where(ALPHA <= 5, 0, np.where(ALPHA >= 250, 255, ALPHA)))
    wanted = compose_light(FG, alpha, BEHIND, photographic.GAMMA)
    grey, wanted = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(int) for one in (image, wanted))
    assert np.abs(grey - wanted).max() <= 3  # JPEG halves the resolution of the chroma alone


@pytest.mark.parametrize(
    ("strength", "values", "foreground", "background"),
    [
        ("BACKGROUND_DEFOCUS", (4.0, 4.0), False, True),
        ("SHOT_NOISE", (0.05, 0.05), True, True),
        ("SHARPENING", (0.5, 0.5), True, True),
        ("JPEG_QUALITY", (30, 30), True, True),
    ],
)
def test_each_strength_changes_the_layers_that_it_should(
    monkeypatch, strength, values, foreground, background
):
    plain, alpha = with_only(monkeypatch)
    changed, same = with_only(monkeypatch, **{strength: values})
    assert np.array_equal(alpha, same)
    distance = np.abs(changed.astype(float) - plain).mean(2)
    # Away from the edge, over whose 8 x 8 blocks JPEG carries what changes.
    inside = cv2.erode((alpha == 255).astype(np.uint8), np.ones((33, 33))) > 0
    outside = cv2.erode((alpha == 0).astype(np.uint8), np.ones((33, 33))) > 0
    assert inside.any() and outside.any()
    assert (distance[inside].mean() > 0.3) == foreground
    assert (distance[outside].mean() > 0.3) == background


def test_a_foreground_out_of_focus_has_the_matte_that_is_seen(monkeypatch):
    _, sharp = with_only(monkeypatch)
    _, alpha = with_only(monkeypatch, FOREGROUND_DEFOCUS=(2.0, 2.0))
    assert np.abs(alpha - cv2.GaussianBlur(sharp.astype(float), (0, 0), 2.0)).max() <= 1


def test_large_foregrounds_are_shrunk_and_small_ones_stay():
    for height, width, wanted in ((400, 1000, (320, SIDE)), (90, 70, (90, 70))):
        image, alpha = photograph(
            picture(0, height, width), disc(height, width), BEHIND, np.random.default_rng(0)
        )
        assert image.shape[:2] == alpha.shape == wanted


def test_gaps_where_the_brush_does_not_fit_are_painted_over(monkeypatch):
    alpha = np.zeros((90, 120), np.uint8)
    alpha[:, [30, 60, 110]] = 128  # gaps of 29 - 2 * 10 and 49 - 2 * 10 pixels
    monkeypatch.setattr(photographic, "HIDE", 0.0)
    trimap = painted_trimap(alpha, 10, np.random.default_rng(0))
    assert np.all(trimap[:, 20:71] == 128) and np.all(trimap[45, 75:96] == 0)
    assert np.all(trimap[make_trimap(alpha, 10) == 128] == 128)
    monkeypatch.setattr(photographic, "HIDE", 1.0)
    hidden = [painted_trimap(alpha, 10, np.random.default_rng(seed)) for seed in range(9)]
    assert all(np.all(one[trimap == 128] == 128) for one in hidden)
    assert any(np.any(one[trimap == 0] == 128) for one in hidden)


def test_a_photographic_set_has_the_same_pictures_at_every_radius(tmp_path):
    for kind, pixels in (("fg", FG), ("alpha", ALPHA), ("bg", BEHIND)):
        write_image(tmp_path / "test" / kind / "one.png", pixels)
    behind, sets = [tmp_path / "test" / "bg" / "one.png"], []
    for radius in (3, 9):
        folder = compose_test_set(tmp_path, behind, 2, (radius, radius), photographic=True)
        images = [read_image(folder / "image" / f"one_{k}.png") for k in (0, 1)]
        trimap = read_trimap(folder / "trimap" / "one_0.png")
        alpha = read_alpha(folder / "alpha" / "one_0.png")
        assert np.array_equal(trimap[trimap != 128], alpha[trimap != 128])
        sets.append((images, (trimap == 128).sum()))
    assert np.array_equal(sets[0][0], sets[1][0]) and sets[0][1] < sets[1][1]
    assert not np.array_equal(*sets[0][0])
    image = compose_test_set(tmp_path, behind, 1, (3, 3)) / "image" / "one_0.png"
    assert not np.array_equal(read_image(image), sets[0][0][0]), "made again without the option"
