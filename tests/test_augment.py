"""Colour jitter stays a picture, leaves grey grey, and is torchvision's."""

import numpy as np
import pytest
import torch

from tests.sets import picture
from utils.data.augment import jitter


class Drawn:
    """A generator that draws these factors and this turn of the hue."""

    def __init__(self, brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0) -> None:
        self._factors, self._hue = [brightness, contrast, saturation], hue

    def uniform(self, low, high, count=None):
        return self._hue if count is None else np.array(self._factors)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 50, 3), np.uint8)


def largest_difference(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b).max())


def test_no_jitter_leaves_the_picture():
    image = noise()
    assert np.array_equal(jitter(image, 0.0, np.random.default_rng(0)), image)


def test_factors_of_one_leave_the_picture():
    for image in (noise(), picture(0, 40, 50)):
        assert largest_difference(jitter(image, 0.1, Drawn()), image) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_the_result_is_a_new_picture_and_the_given_one_stays(seed):
    image = picture(seed, 40, 50)
    before = image.copy()
    found = jitter(image, 0.5, np.random.default_rng(seed))
    assert found.dtype == np.uint8 and found.shape == image.shape
    assert np.array_equal(image, before)
    assert not np.array_equal(found, image)


def test_the_same_generator_gives_the_same_colours():
    image = picture(0, 40, 50)
    one, two, other = (jitter(image, 0.2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


@pytest.mark.parametrize("drawn", [Drawn(saturation=1.9), Drawn(hue=0.4), Drawn(1.2, 0.7, 0.1)])
def test_grey_stays_grey(drawn):
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    found = jitter(grey, 0.5, drawn).astype(int)
    assert (found.max(axis=2) - found.min(axis=2)).max() <= 1


def test_a_turn_by_a_third_swaps_the_channels():
    image = picture(1, 40, 50)
    found = jitter(image, 0.5, Drawn(hue=1 / 3))
    assert largest_difference(found, image[..., [2, 0, 1]]) <= 1


def test_values_stay_inside_eight_bits():
    white, black = (np.full((2, 2, 3), value, np.uint8) for value in (255, 0))
    assert np.array_equal(jitter(white, 0.5, Drawn(brightness=1.5)), white)
    assert np.array_equal(jitter(black, 0.5, Drawn(brightness=1.5)), black)
    half = np.zeros((2, 2, 3), np.uint8)
    half[0] = 250
    assert np.array_equal(np.unique(jitter(half, 0.9, Drawn(contrast=1.9))), [0, 255])


def theirs(image, brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0) -> np.ndarray:
    functional = pytest.importorskip("torchvision.transforms.functional")
    pixels = torch.from_numpy(image).permute(2, 0, 1)
    pixels = functional.adjust_brightness(pixels, brightness)
    pixels = functional.adjust_contrast(pixels, contrast)
    pixels = functional.adjust_saturation(pixels, saturation)
    return functional.adjust_hue(pixels, hue).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("kind", ["smooth", "noise", "bright"])
def test_it_is_torchvisions(kind):
    image = {"smooth": picture(2, 40, 50), "noise": noise(2), "bright": picture(3, 40, 50) // 4}
    image = 255 - image[kind] if kind == "bright" else image[kind]
    rng = np.random.default_rng(0)
    for _ in range(8):
        factors = [*rng.uniform(0.875, 1.125, 3), rng.uniform(-0.125, 0.125)]
        ours = jitter(image, 0.125, Drawn(*factors))
        assert largest_difference(ours, theirs(image, *factors)) <= 6  # theirs rounds four times
        assert np.abs(ours.astype(int) - theirs(image, *factors)).mean() < 2
