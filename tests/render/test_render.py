"""The embedded data set: exact mattes, defined colours, natural backgrounds, always the same."""

import hashlib
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import InputError
from utils.render import DOZEN, FIRST, SUBJECTS, foreground, render
from utils.render.backgrounds import SCENES, background, photograph
from utils.render.layers import coverage, extend, layer, stack
from utils.render.noise import palette, spectral

SHAPE = (150, 190)
OPAQUE = {"hair", "fur", "leaves", "motion", "defocus", "solid"}  # always with an opaque body


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    render(root, workers=1, foregrounds=(13, 12), backgrounds=(2, 1), size=96, progress=False)
    return root


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_kind_gives_a_colour_and_a_matte(kind: str) -> None:
    colour, alpha = SUBJECTS[kind](np.random.default_rng(3), SHAPE)
    assert colour.shape == (*SHAPE, 3) and colour.dtype == np.uint8
    assert alpha.shape == SHAPE and alpha.dtype == np.uint8
    assert (alpha == 0).mean() > 0.02
    assert ((alpha > 0) & (alpha < 255)).mean() > 0.004
    assert not np.isin(alpha, [1, 2, 253, 254]).any()
    # The colour is defined where the matte is 0: no black, and smooth.
    hidden = colour[alpha == 0]
    assert hidden.max(1).min() >= 3
    assert colour.std() > 3


@pytest.mark.parametrize("kind", sorted(OPAQUE))
def test_bodies_are_opaque_inside(kind: str) -> None:
    for seed in range(2):
        _, alpha = SUBJECTS[kind](np.random.default_rng(seed), SHAPE)
        assert (alpha == 255).mean() > 0.03
        assert (alpha == 0).mean() > 0.02


def test_an_item_depends_on_seed_and_name_only() -> None:
    for first, second in zip(
        foreground("fur_000", 5, 96), foreground("fur_000", 5, 96), strict=True
    ):
        assert np.array_equal(first, second)
    assert not np.array_equal(*(_cut(foreground("fur_000", seed, 96)[1]) for seed in (5, 6)))
    assert not np.array_equal(
        *(_cut(foreground(name, 5, 96)[1]) for name in ("fur_000", "fur_001"))
    )


def test_render_writes_the_layout(small: Path) -> None:
    for split, count, scenes in (("train", 13, 2), ("test", 12, 1)):
        names = sorted(path.name for path in (small / split / "fg").iterdir())
        assert len(names) == count
        assert names == sorted(path.name for path in (small / split / "alpha").iterdir())
        assert {name.rsplit("_", 1)[0] for name in names} == set(SUBJECTS)
        assert len(list((small / split / "bg").glob("*.jpg"))) == scenes
        for name in names:
            colour = cv2.imread(str(small / split / "fg" / name), cv2.IMREAD_UNCHANGED)
            alpha = cv2.imread(str(small / split / "alpha" / name), cv2.IMREAD_UNCHANGED)
            assert colour.shape == (*alpha.shape, 3) and alpha.ndim == 2
            assert 0.85 * 96 <= max(alpha.shape) <= 1.12 * 96
    assert (small / "train" / "fg" / "hair_000.png").exists()


def test_files_are_rgb_and_the_matte_is_the_rendered_one(small: Path) -> None:
    colour, alpha = foreground("glass_000", 0, 96)
    stored = cv2.imread(str(small / "train" / "fg" / "glass_000.png"))
    assert np.array_equal(stored[..., ::-1], colour)
    stored = cv2.imread(str(small / "train" / "alpha" / "glass_000.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(stored, alpha)


def test_train_and_test_share_nothing(small: Path) -> None:
    names = [{path.name for path in (small / split).rglob("*.*")} for split in ("train", "test")]
    assert not names[0] & names[1]
    contents = [
        {path.read_bytes() for path in (small / split).rglob("*.*")} for split in ("train", "test")
    ]
    assert not contents[0] & contents[1]


def test_a_rerun_keeps_what_exists_and_makes_what_is_missing(small: Path) -> None:
    digests = _digests(small)
    lost = small / "train" / "alpha" / "net_000.png"
    lost.unlink()
    kept = {
        path: path.stat().st_mtime_ns for path in small.rglob("*.png") if "net_000" not in path.name
    }
    # Other counts and two processes give the same bytes.
    render(small, workers=2, foregrounds=(12, 12), backgrounds=(2, 1), size=96, progress=False)
    assert _digests(small) == digests
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert not list(small.rglob(".*"))


def test_impossible_arguments_are_one_line(tmp_path: Path) -> None:
    for wrong in (
        {"size": 8},
        {"workers": 0},
        {"foregrounds": (-1, 2)},
        {"backgrounds": (FIRST["test"] + 1, 0)},
    ):
        with pytest.raises(InputError, match="sample"):
            render(tmp_path, **wrong)
    assert not list(tmp_path.iterdir())


def test_a_dozen_holds_every_kind() -> None:
    assert len(DOZEN) == 12 and set(DOZEN) == set(SUBJECTS)


@pytest.mark.parametrize("scene", SCENES)
def test_scenes_fill_the_frame(scene: str) -> None:
    rng = np.random.default_rng(2)
    image = photograph(rng, SCENES[scene](rng, SHAPE))
    assert image.shape == (*SHAPE, 3) and image.dtype == np.uint8
    assert image.std() > 4


def test_backgrounds_have_the_spectrum_of_photographs() -> None:
    slopes = [_slope(background(np.random.default_rng(seed), (256, 256))) for seed in range(12)]
    assert 0.8 < np.median(slopes) < 1.6
    assert min(slopes) > 0.3 and max(slopes) < 3


def test_spectral_noise_has_the_slope_asked_for() -> None:
    for slope in (0.8, 1.2, 1.6):
        noise = spectral(np.random.default_rng(0), (256, 256), slope)
        assert noise.mean() == pytest.approx(0, abs=1e-3)
        assert noise.std() == pytest.approx(1, abs=1e-2)
        assert _slope(noise) == pytest.approx(slope, abs=0.15)


def test_colours_are_muted() -> None:
    colours = np.concatenate([palette(np.random.default_rng(seed), 5) for seed in range(100)])
    spread = colours.max(1) - colours.min(1)
    assert np.median(spread) < 0.3 and (spread > 0.7).mean() < 0.05


def test_coverage_is_the_area_of_the_pixel() -> None:
    square = np.array([[2.0, 2.0], [6.5, 2.0], [6.5, 6.0], [2.0, 6.0]])
    cover = coverage([square], (10, 10))
    assert cover[3, 3] == 1 and cover[8, 8] == 0
    assert cover[4, 6] == pytest.approx(0.5, abs=0.3)  # OpenCV fills the border as well


def test_stack_and_extend_keep_colours() -> None:
    alpha = np.zeros((40, 40), np.float32)
    alpha[10:20, 10:20] = 0.5
    red = layer(np.array([0.8, 0.1, 0.1]), alpha)
    assert np.allclose(extend(red), [0.8, 0.1, 0.1], atol=0.01)
    both = stack(red, layer(np.array([0.2, 0.2, 0.9]), np.ones((40, 40))))
    assert np.allclose(both[15, 15], [0.5, 0.15, 0.5, 1])


def _cut(alpha: np.ndarray) -> np.ndarray:
    return alpha[:60, :60]  # items differ in size


def _digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.*"))
    }


def _slope(image: np.ndarray) -> float:
    """The exponent s of an amplitude spectrum 1 / f^s, fitted between 4 and 64 cycles."""
    gray = (image if image.ndim == 2 else image.mean(2)).astype(np.float64)
    side = gray.shape[0]
    window = np.hanning(side)[:, None] * np.hanning(side)
    amplitude = np.abs(np.fft.fft2((gray - gray.mean()) * window))
    line = np.fft.fftfreq(side)[:, None] * side
    radius = np.hypot(line, line.T)
    edges = np.geomspace(4, 64, 10)
    means = [
        np.log(amplitude[(radius >= low) & (radius < high)].mean()) for low, high in pairwise(edges)
    ]
    return -float(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), means, 1)[0])
