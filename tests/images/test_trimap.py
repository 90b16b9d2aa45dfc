"""Trimaps hold every soft pixel and widen with the radius, as a disc would dilate them."""

import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import InputError
from tests.refusals import refused
from tests.sets import disc as soft_disc
from utils.images.trimap import (
    UNKNOWN,
    distance_trimap,
    draw_radius,
    make_trimap,
    narrow_trimap,
    require_agreement,
    trimap_from_radius,
    unknown_radius,
)

mattes = arrays(
    np.uint8,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.sampled_from([0, 90, 255]),
)


def disc(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (y**2 + x**2 <= radius**2).astype(np.uint8)


@pytest.fixture
def matte() -> np.ndarray:
    picture = np.zeros((90, 110), np.uint8)
    cv2.circle(picture, (60, 40), 25, 255, -1)
    return cv2.GaussianBlur(picture, (0, 0), 2)


def test_the_radius_counts_pixels_from_the_soft_border_euclidean_and_rounded_up():
    soft, hard = np.array([[0, 0, 7, 255, 255]], np.uint8), np.array([[0, 0, 255, 255]], np.uint8)
    assert unknown_radius(soft).tolist() == [[2, 1, 0, 1, 2]]
    assert unknown_radius(hard).tolist() == [[2, 1, 1, 2]]
    alpha = np.zeros((5, 6), np.uint8)
    alpha[0, 0] = 128
    distances = unknown_radius(alpha)
    assert distances[3, 4] == 5  # 3-4-5, exactly
    assert distances[1, 1] == 2
    assert np.all(unknown_radius(np.zeros((3, 4), np.uint8)) == 255)
    assert np.all(unknown_radius(np.full((3, 4), 90, np.uint8)) == 0)


@pytest.mark.parametrize("radius", [1, 5, 17])
def test_trimap_equals_dilation_and_erosion_by_a_disc(matte, radius):
    expected = np.full_like(matte, 128)
    expected[cv2.dilate((matte > 0).astype(np.uint8), disc(radius)) == 0] = 0
    expected[cv2.erode((matte == 255).astype(np.uint8), disc(radius)) == 1] = 255
    assert np.array_equal(make_trimap(matte, radius), expected)


@given(mattes, st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=60)
def test_unknown_grows_with_the_radius_and_holds_what_is_soft(alpha, radius, more):
    distances = unknown_radius(alpha)
    narrow = trimap_from_radius(alpha, distances, radius)
    wide = trimap_from_radius(alpha, distances, radius + more)
    soft = (alpha > 0) & (alpha < 255)
    assert set(np.unique(narrow)) <= {0, 128, 255}
    assert np.all(narrow[soft] == 128)
    assert np.all(wide[narrow == 128] == 128)
    assert np.array_equal(narrow[narrow != 128], alpha[narrow != 128])
    assert np.array_equal(trimap_from_radius(alpha, distances, 0) == 128, soft)


@given(mattes, st.integers(1, 4))
@settings(max_examples=60)
def test_narrow_trimap_holds_what_is_soft_and_at_most_two_pixels_more(alpha, size):
    trimap = narrow_trimap(alpha, size)
    assert np.all(trimap[(alpha > 0) & (alpha < 255)] == 128)
    assert np.all(make_trimap(alpha, 3)[trimap == 128] == 128)  # its corners are 2 sqrt 2 away
    if size == 1:
        assert np.array_equal(trimap, make_trimap(alpha, 0))


@pytest.mark.parametrize("low, high", [(5, 2), (-1, 2), (1, 255)])
def test_impossible_radii_are_refused(low, high):
    with pytest.raises(InputError, match="trimap radius"):
        draw_radius(np.random.default_rng(0), low, high)
    with pytest.raises(InputError, match="trimap radius"):
        make_trimap(np.zeros((3, 3), np.uint8), 255)


@given(mattes, st.integers(1, 6))
def test_a_distance_trimap_is_unknown_around_soft_pixels_alone(alpha, radius):
    rows, columns = np.nonzero((alpha > 0) & (alpha < 255))
    y, x = np.indices(alpha.shape)
    near = np.zeros(alpha.shape, bool)
    for row, column in zip(rows, columns, strict=True):
        near |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    assert np.array_equal(distance_trimap(alpha, radius), np.where(near, 128, alpha))


# --- a trimap of this matte, or of another -------------------------------------------------------

ALPHA = soft_disc(72, 88)
TRIMAP = make_trimap(ALPHA, 4)


def small(x: int) -> np.ndarray:
    """A matte with a subject of a hundredth of the picture."""
    alpha = np.zeros((100, 100), np.uint8)
    alpha[40:50, x : x + 10] = 255
    return alpha


@pytest.mark.parametrize(
    "trimap, alpha, share",
    [
        (np.where(TRIMAP == UNKNOWN, np.uint8(UNKNOWN), 255 - TRIMAP), ALPHA, "100 %"),
        (np.roll(TRIMAP, 20, 1), ALPHA, "22.2 %"),
        (make_trimap(small(20), 1), small(60), "1.65 %"),
    ],
    ids=["exchanged", "shifted", "another small subject"],
)
def test_exchanged_and_foreign_trimaps_are_refused_with_their_share(trimap, alpha, share):
    message = refused(require_agreement, "t.png", trimap, "a.png", alpha)
    assert message.startswith("t.png: ") and "of its known pixels contradict a.png" in message
    assert share in message


def test_own_trimaps_agree_also_of_faint_and_noisy_mattes_of_which_the_share_is_told(caplog):
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(ALPHA.shape) < 0.005, 255 - ALPHA, ALPHA)
    for alpha in (ALPHA, ALPHA // 2, noisy):
        require_agreement("t.png", TRIMAP, "a.png", alpha)
    (warning,) = caplog.messages
    assert re.fullmatch(r"t\.png: 0\.\d+ % of its known pixels contradict a\.png", warning)
    require_agreement("t.png", np.full_like(ALPHA, UNKNOWN), "a.png", ALPHA)
