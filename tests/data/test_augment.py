"""Colours, fusion and degradations are what they are named after, on 8 bits and on one crop."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from tests.sets import disc, picture
from utils.data.augment import (
    BLUR,
    DEFOCUS,
    JPEG_QUALITY,
    NOISE,
    blur,
    defocus,
    fuse,
    fuse_exactly,
    gamma,
    hide,
    jitter,
    jitter_foreground,
    jpeg,
    noise,
    thin,
)


class Drawn:
    """A generator that draws these values, one after the other."""

    def __init__(self, *values) -> None:
        self._values = list(values)

    def _next(self, *_, **__):
        return self._values.pop(0)

    uniform = integers = random = _next


def factors(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.0) -> Drawn:
    """What `jitter` draws."""
    return Drawn(np.array([brightness, contrast, saturation]), hue)


def speckle(seed: int = 0, height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


PICTURES = {
    "smooth": picture(2, 40, 50),
    "speckle": speckle(2),
    "dark": picture(3, 40, 50) // 4,
    "bright": 255 - picture(4, 40, 50) // 4,
}


def differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(float) - b)


# --- jitter -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PICTURES)
def test_factors_of_one_leave_the_picture(kind):
    assert np.array_equal(jitter(PICTURES[kind], 0.1, factors()), PICTURES[kind])


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("amount", [0.125, 0.5])
def test_it_is_torchvisions_but_rounded_where_that_cuts_off(kind, amount):
    rng = np.random.default_rng(1)
    for _ in range(3):
        draws = [*rng.uniform(1 - amount, 1 + amount, 3), rng.uniform(-amount, amount)]
        ours, wanted = jitter(PICTURES[kind], amount, factors(*draws)), theirs(kind, *draws)
        assert differences(ours, wanted).max() <= 24  # two steps of both hues
        assert differences(ours, wanted).mean() < 2.6
        assert 0 <= (ours - wanted.astype(float)).mean() < 2


def theirs(kind: str, brightness: float, contrast: float, saturation: float, hue: float):
    functional = pytest.importorskip("torchvision.transforms.functional")
    image = functional.adjust_brightness(Image.fromarray(PICTURES[kind]), brightness)
    image = functional.adjust_contrast(image, contrast)
    image = functional.adjust_saturation(image, saturation)
    return np.asarray(functional.adjust_hue(image, hue))


# --- the foreground alone ---------------------------------------------------------------------


def shifted(colour: np.ndarray, alpha: np.ndarray, degrees: int, draws: np.ndarray) -> np.ndarray:
    """What `jitter_foreground` should give, in float32."""
    hsv = cv2.cvtColor(colour.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + degrees) % 360
    for channel, drawn in zip((1, 2), draws, strict=True):
        room = 1.1 - hsv[..., channel][alpha > 0].mean()
        values = np.abs(hsv[..., channel] + (drawn * room / 5 - room / 10))
        hsv[..., channel] = np.where(values > 1, 2 - values, values)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255


@pytest.mark.parametrize("kind", PICTURES)
def test_the_foreground_is_shifted_in_hue_saturation_and_value(kind):
    rng = np.random.default_rng(0)
    colour, alpha = PICTURES[kind], disc(40, 50)
    for degrees in (-40, -17, 0, 5, 39):
        draws = rng.random(2)
        found = jitter_foreground(colour, alpha, Drawn(degrees, draws))
        wanted = shifted(colour, alpha, degrees, draws)
        assert differences(found, wanted).mean() < 2.5
        assert differences(found, wanted).max() <= 14  # two steps of the hue
    assert jitter_foreground(colour, np.zeros_like(alpha), Drawn()) is colour


# --- two foregrounds made one -----------------------------------------------------------------

pairs = st.tuples(*[arrays(np.uint8, (3, 5, 4))] * 2)


@given(pairs)
@settings(max_examples=60)
def test_fused_foregrounds_are_the_releases(layers):
    front, behind = layers
    a, b = (layer[..., 3] / 255 for layer in layers)
    found = fuse(front, behind)
    alpha = 1 - (1 - a) * (1 - b)
    colour = a[..., None] * front[..., :3] + (1 - a[..., None]) * behind[..., :3]
    if np.all(np.rint(255 * alpha) == 255):
        assert found is front
        return
    assert np.array_equal(found[..., 3], np.rint(255 * alpha))
    assert differences(found[..., :3], colour).max() <= 1.001
    assert np.all(found[..., 3] >= np.maximum(front[..., 3], behind[..., 3]))


@given(pairs, st.integers(0, 255))
@settings(max_examples=60)
def test_an_exactly_fused_foreground_over_a_background_is_one_over_the_other(layers, grey):
    def over(layer, below):
        share = layer[..., 3:] / 255
        return share * layer[..., :3] + (1 - share) * below

    front, behind = layers
    found, background = fuse_exactly(front, behind), np.full(3, float(grey))
    if found is front:
        assert np.array_equal(fuse(front, behind), front)
        return
    assert np.array_equal(found[..., 3], fuse(front, behind)[..., 3])
    # Rounded alpha and rounded colours: each half a level at most.
    assert differences(over(found, background), over(front, over(behind, background))).max() <= 1.01
    nothing = found[..., 3] == 0
    assert np.array_equal(found[nothing], front[nothing])


@pytest.mark.parametrize("fuse", [fuse, fuse_exactly])
def test_the_front_stays_itself_where_nothing_would_be_left_to_matte(fuse):
    front = np.dstack([picture(0, 40, 50), disc(40, 50)])
    behind = np.dstack([picture(1, 40, 50), np.full((40, 50), 255, np.uint8)])
    assert fuse(front, behind) is front
    behind[0, 0, 3] = front[0, 0, 3] = 250
    assert fuse(front, behind) is front, "0.9996 is 255 of 255"
    behind[0, 0, 3] = front[0, 0, 3] = 200
    assert fuse(front, behind) is not front


# --- foregrounds that let more through ---------------------------------------------------------


def test_a_thinner_foreground_has_a_power_of_its_alpha_and_the_same_colours():
    layer = np.dstack([np.tile(speckle(0, 1, 256), (3, 1, 1)), np.tile(np.arange(256), (3, 1))])
    layer = layer.astype(np.uint8)
    found = thin(layer, Drawn(2.0))
    assert np.array_equal(found[..., :3], layer[..., :3])
    assert np.array_equal(found[..., 3], np.rint(layer[..., 3] ** 2.0 / 255))


# --- degradations -----------------------------------------------------------------------------

RAMP = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.4])
def test_gamma_is_a_power_on_zero_to_one(exponent):
    found = gamma(RAMP, Drawn(np.log(exponent)))
    assert differences(found, 255 * (RAMP / 255) ** exponent).max() <= 0.5


def test_noise_is_drawn_up_to_its_largest_deviation():
    image = np.full((30, 30, 3), 120, np.uint8)
    deviations = [noise(image, np.random.default_rng(seed)).std() for seed in range(200)]
    assert min(deviations) < 0.5 and 0.9 * NOISE < max(deviations) < 1.1 * NOISE


@pytest.mark.parametrize("sigma", [0.0, 2.0, 10.0])
def test_noise_is_normal_of_the_drawn_deviation_and_independent(sigma):
    image = np.full((200, 220, 3), 120, np.uint8)
    added = noise(image, Drawn(sigma, 12345)).astype(float) - 120
    assert abs(added.mean()) < 0.1
    assert added.std() == pytest.approx(np.hypot(sigma, 0.29 if sigma else 0), rel=0.02)
    if sigma:
        beyond = (np.abs(added) > 2 * sigma + 0.5).mean()
        assert 0.02 < beyond < 0.05  # 4.6 % of a normal distribution, less a rounding
        for axis in range(3):
            shifted_by_one = np.roll(added, 1, axis)
            assert abs((added * shifted_by_one).mean()) / sigma**2 < 0.02


@pytest.mark.parametrize("quality", JPEG_QUALITY)
def test_jpeg_is_that_of_another_library_at_the_same_quality(quality, tmp_path):
    image = picture(5, 64, 80)
    Image.fromarray(image).save(tmp_path / "one.jpg", quality=quality, subsampling="4:2:0")
    theirs = np.asarray(Image.open(tmp_path / "one.jpg"))
    found = jpeg(image, Drawn(quality))
    assert differences(found, theirs).mean() < 0.5
    assert differences(found, image).mean() > 0.3


@pytest.mark.parametrize(("spread", "bounds"), [(blur, BLUR), (defocus, DEFOCUS)])
def test_a_blurred_edge_is_spread_by_nearly_sigma_and_flat_colours_stay(spread, bounds):
    edge = np.zeros((61, 61, 3), np.uint8)
    edge[:, 31:] = 255
    for sigma in (max(bounds[0], 0.5), bounds[1] / 2, bounds[1]):
        line = np.diff(spread(edge, Drawn(sigma))[30, :, 0].astype(float)) / 255
        places = np.arange(60) - 30
        assert 0.85 * sigma < np.sqrt((line * places**2).sum()) < 1.05 * sigma
    flat = np.tile(np.array([7, 130, 251], np.uint8), (20, 20, 1))
    assert np.array_equal(spread(flat, np.random.default_rng(0)), flat)
    assert np.array_equal(defocus(edge, Drawn(0.0)), edge)  # a background may be in focus


def test_an_ellipse_of_the_trimap_is_hidden_and_the_rest_stays():
    trimap = np.zeros((100, 120), np.uint8)
    trimap[:, 60:] = 255
    values = Drawn(np.array([0.5, 0.5]), np.array([0.2, 0.4]), 90.0)
    hidden = hide(trimap, values)
    ys, xs = np.mgrid[:100, :120]
    distance = ((ys - 50) / 20) ** 2 + ((xs - 60) / 40) ** 2  # turned by 90 degrees
    assert (hidden[distance < 0.9] == 128).all()
    assert (hidden[distance > 1.1] == trimap[distance > 1.1]).all()
    assert set(np.unique(trimap)) == {0, 255}
