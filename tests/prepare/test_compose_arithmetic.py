"""Composites are Composition-1k's, cut off to 8 bits, or mixed in linear light, rounded."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from utils.data.compose.arithmetic import compose, compose_light, fit_background

colours = arrays(np.uint8, (3, 4, 3))
mattes = arrays(np.uint8, (3, 4), elements=st.sampled_from([0, 1, 99, 127, 254, 255]))


@given(colours, mattes, colours)
@settings(max_examples=40)
def test_composite_is_that_of_fractions_cut_off_and_exact_where_all_is_known(fg, alpha, bg):
    share = alpha[..., None] / 255
    exact = share * fg + (1 - share) * bg
    image = compose(fg, alpha, bg)
    assert np.all((image <= exact + 1e-4) & (image > exact - 1.0001))
    assert np.array_equal(image[alpha == 255], fg[alpha == 255])
    assert np.array_equal(image[alpha == 0], bg[alpha == 0])


def test_larger_background_is_cropped_at_the_top_left_and_not_shrunk():
    bg = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert np.array_equal(fit_background(bg, 30, 20), bg[:30, :20])
    assert np.array_equal(fit_background(bg, 40, 50), bg)


def test_smaller_background_is_enlarged_by_the_larger_ratio():
    bg = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    large = cv2.resize(bg, (150, 120), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(fit_background(bg, 120, 70), large[:120, :70])
    large = cv2.resize(bg, (67, 54), interpolation=cv2.INTER_CUBIC)  # 40 * 67 / 50 = 53.6
    assert np.array_equal(fit_background(bg, 10, 67), large[:10])


@given(colours, mattes, colours, st.floats(1, 2.4))
@settings(max_examples=40)
def test_light_is_mixed_before_the_tone_curve_and_rounded(fg, alpha, bg, gamma):
    share = alpha[..., None] / 255
    light = share * (fg / 255) ** gamma + (1 - share) * (bg / 255) ** gamma
    expected = 255 * light ** (1 / gamma)
    assert np.abs(compose_light(fg, alpha, bg, gamma) - expected).max() <= 0.51
