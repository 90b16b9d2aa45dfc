"""The embedded data set: exact mattes, defined colours, natural backgrounds, always the same."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from utils.render import DOZEN, SUBJECTS, foreground, render
from utils.render.backgrounds import SCENES, background, photograph
from utils.render.noise import spectral

SHAPE = (150, 190)
OPAQUE = {"hair", "fur", "leaves", "motion", "defocus", "solid"}  # always with an opaque body


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    render(root, workers=1, foregrounds=(13, 12), backgrounds=(2, 1), size=64, progress=False)
    return root


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_kind_gives_a_colour_and_a_matte(kind: str) -> None:
    colour, alpha = SUBJECTS[kind](np.random.default_rng(3), SHAPE)
    assert colour.shape == (*SHAPE, 3) and colour.dtype == np.uint8
    assert alpha.shape == SHAPE and alpha.dtype == np.uint8
    assert (alpha == 0).mean() > 0.02
    assert ((alpha > 0) & (alpha < 255)).mean() > 0.004
    assert not np.isin(alpha, [1, 2, 253, 254]).any()
    assert (alpha == 255).mean() > 0.03 or kind not in OPAQUE
    # The colour is defined where the matte is 0: no black, and smooth.
    assert colour[alpha == 0].max(1).min() >= 3
    assert colour.std() > 3


def test_an_item_depends_on_seed_and_name_only() -> None:
    def cut(name: str, seed: int) -> bytes:
        return foreground(name, seed, 96)[1][:60, :60].tobytes()  # items differ in size

    assert cut("fur_000", 5) == cut("fur_000", 5)
    assert len({cut("fur_000", 5), cut("fur_000", 6), cut("fur_001", 5)}) == 3


def test_render_writes_the_layout(small: Path) -> None:
    assert len(DOZEN) == 12
    for split, count, scenes in (("train", 13, 2), ("test", 12, 1)):
        names = sorted(path.name for path in (small / split / "fg").iterdir())
        assert len(names) == count
        assert names == sorted(path.name for path in (small / split / "alpha").iterdir())
        assert {name.rsplit("_", 1)[0] for name in names} == set(SUBJECTS)
        assert len(list((small / split / "bg").glob("*.jpg"))) == scenes
        assert len(set(contents(small).values())) == 13 * 2 + 2 + 12 * 2 + 1  # nothing is shared
        for name in names:
            colour = cv2.imread(str(small / split / "fg" / name), cv2.IMREAD_UNCHANGED)
            alpha = cv2.imread(str(small / split / "alpha" / name), cv2.IMREAD_UNCHANGED)
            assert colour.shape == (*alpha.shape, 3) and alpha.ndim == 2
            assert 0.85 * 64 <= max(alpha.shape) <= 1.12 * 64
    colour, alpha = foreground("glass_000", 0, 64)
    stored = cv2.imread(str(small / "train" / "fg" / "glass_000.png"))
    assert np.array_equal(stored[..., ::-1], colour)
    stored = cv2.imread(str(small / "train" / "alpha" / "glass_000.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(stored, alpha)


def test_a_rerun_keeps_what_exists_and_makes_what_is_missing(small: Path) -> None:
    before = contents(small)
    lost = small / "train" / "alpha" / "net_000.png"
    lost.unlink()
    times = {
        path: path.stat().st_mtime_ns for path in small.rglob("*.png") if path.stem != "net_000"
    }
    # Other counts and two processes give the same bytes.
    render(small, workers=2, foregrounds=(12, 12), backgrounds=(2, 1), size=64, progress=False)
    assert contents(small) == before
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


@pytest.mark.parametrize("scene", SCENES)
def test_scenes_fill_the_frame(scene: str) -> None:
    rng = np.random.default_rng(2)
    image = photograph(rng, SCENES[scene](rng, SHAPE))
    assert image.shape == (*SHAPE, 3) and image.dtype == np.uint8
    assert image.std() > 4


def slope(image: np.ndarray) -> float:
    """The exponent s of an amplitude spectrum 1 / f^s, fitted between 4 and 64 cycles."""
    gray = (image if image.ndim == 2 else image.mean(2)).astype(np.float64)
    side = gray.shape[0]
    window = np.hanning(side)[:, None] * np.hanning(side)
    amplitude = np.abs(np.fft.fft2((gray - gray.mean()) * window))
    line = np.fft.fftfreq(side)[:, None] * side
    radius = np.hypot(line, line.T)
    edges = np.geomspace(4, 64, 10)
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    means = [np.log(amplitude[ring].mean()) for ring in rings]
    return -float(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), means, 1)[0])


def test_backgrounds_have_the_spectrum_of_photographs() -> None:
    slopes = [slope(background(np.random.default_rng(seed), (256, 256))) for seed in range(6)]
    assert 0.8 < np.median(slopes) < 1.6
    assert min(slopes) > 0.3 and max(slopes) < 3


@pytest.mark.parametrize("wanted", [0.8, 1.6])
def test_spectral_noise_has_the_slope_asked_for(wanted: float) -> None:
    noise = spectral(np.random.default_rng(0), (256, 256), wanted)
    assert noise.mean() == pytest.approx(0, abs=1e-3)
    assert noise.std() == pytest.approx(1, abs=1e-2)
    assert slope(noise) == pytest.approx(wanted, abs=0.15)
