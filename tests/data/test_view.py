"""Views: to cut first and then resize or bend gives what bending the whole and cutting it gives."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sets import picture
from utils.data.crops.view import (
    View,
    affine_canvas,
    box,
    plain_canvas,
    sample_view,
    stretched,
    view_at,
    within,
)

sides = st.integers(40, 90)


def drawn_view(size: tuple[int, int], crop: int, squash: float, seed: int) -> View:
    rng = np.random.default_rng(seed)
    canvas = affine_canvas(size, crop, True, squash, rng)
    place = rng.integers(size[0]), rng.integers(size[1])
    return view_at(canvas, place, min(crop, *canvas.size), crop)


@given(sides, sides, st.integers(0, 89), st.integers(0, 89), st.integers(1, 40))
def test_a_plain_view_of_its_own_size_is_the_nearest_window_to_a_place(h, w, row, column, side):
    whole = np.random.default_rng(0).integers(0, 256, (h, w, 4), np.uint8)
    row, column = min(row, h - 1), min(column, w - 1)
    view = view_at(plain_canvas((h, w)), (row, column), side, side)
    top = int(np.clip(row - side // 2, 0, h - side))
    left = int(np.clip(column - side // 2, 0, w - side))
    assert np.array_equal(sample_view(whole, view), whole[top : top + side, left : left + side])
    assert view.window == (slice(top, top + side), slice(left, left + side))
    assert view.scale == pytest.approx(1)


@pytest.mark.parametrize(("side", "smooth"), [(48, cv2.INTER_LINEAR), (64, cv2.INTER_AREA)])
def test_a_plain_view_of_another_size_is_the_resized_window(side, smooth):
    whole = picture(1, 100, 120)
    view = view_at(plain_canvas((100, 120)), (50, 60), side, 32)
    wanted = cv2.resize(whole[view.window], (32, 32), interpolation=smooth)
    assert np.array_equal(sample_view(whole, view), wanted)
    assert view.scale == pytest.approx(side / 32)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([(70, 90), (90, 70), (1030, 60)]))
def test_cutting_first_is_bending_the_whole_and_cutting_last(seed, size):
    whole = picture(seed % 7, *size)
    rng = np.random.default_rng(seed)
    canvas = affine_canvas(size, 48, True, 0.0, rng)
    view = view_at(canvas, (rng.integers(size[0]), rng.integers(size[1])), 48, 48)
    bent = cv2.warpAffine(whole, canvas.matrix[:2], canvas.size[::-1], flags=cv2.INTER_LINEAR)
    ours = sample_view(whole, view, cv2.INTER_LINEAR).astype(int)
    difference = np.abs(ours - bent[view.window])
    # OpenCV places a pixel to 1/32, and the outline falls differently by that much.
    assert np.quantile(difference, 0.97) <= 6
    assert difference.mean() < 1.5


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([None, cv2.INTER_CUBIC]))
def test_only_the_box_is_read(seed, bent, interpolation):
    size = (80, 100)
    rng = np.random.default_rng(seed)
    whole = rng.integers(0, 256, (*size, 3), np.uint8)
    if bent:
        view = drawn_view(size, 24, 0.0, seed)
    else:
        view = view_at(plain_canvas(size), (rng.integers(80), rng.integers(100)), 40, 32)
    other = np.full_like(whole, 77)
    other[box(view, size)] = whole[box(view, size)]
    assert np.array_equal(
        sample_view(whole, view, interpolation), sample_view(other, view, interpolation)
    )
    part = within(view, box(view, size))
    assert np.array_equal(
        sample_view(whole[box(view, size)], part, interpolation),
        sample_view(whole, view, interpolation),
    )


def test_what_lies_outside_a_picture_is_the_border():
    canvas = plain_canvas((40, 40))
    view = view_at(canvas, (20, 20), 16, 16)
    beside = view._replace(matrix=view.matrix + np.array([[0, 0, 100], [0, 0, 0]]))
    white = np.full((40, 40, 4), 255, np.uint8)
    assert np.all(sample_view(white, beside) == 0)
    assert np.all(sample_view(white, beside, border=9) == 9)
    half = view._replace(matrix=view.matrix + np.array([[0, 0, 20.5], [0, 0, 0]]))
    seen = sample_view(white, half, border=0)[..., 3]
    assert np.all(seen[:, :7] == 255) and np.all(seen[:, 9:] == 0)


@pytest.mark.parametrize("size", [(300, 200), (60, 2000), (1100, 1100)])
def test_a_canvas_holds_a_crop_and_large_pictures_alone_are_turned(size):
    rng = np.random.default_rng(1)
    slants = []
    for _ in range(50):
        canvas = affine_canvas(size, 160, True, 0.3, rng)
        assert min(canvas.size) > 160
        x, y = canvas.matrix[:2, 0]
        slants.append(abs(np.arctan2(y, abs(x))))
    assert (max(slants) > 0.2) == (max(size) >= 1024)


def test_squashing_is_resizing_to_640():
    canvas = affine_canvas((400, 1200), 320, False, 1.0, np.random.default_rng(0))
    assert canvas.size == (640, 640)
    whole = picture(3, 400, 1200)
    view = view_at(canvas, (200, 600), 640, 640)
    wanted = cv2.resize(whole, (640, 640), interpolation=cv2.INTER_LINEAR).astype(int)
    inside = slice(2, -2), slice(2, -2)
    assert np.abs(sample_view(whole, view, cv2.INTER_LINEAR) - wanted)[inside].max() <= 3


def test_a_stretched_view_shows_what_stretching_the_other_picture_would():
    one, other = (90, 60), (45, 120)
    behind = picture(5, *other)
    view = view_at(plain_canvas(one), (45, 30), 40, 40)
    wanted = cv2.resize(behind, one[::-1], interpolation=cv2.INTER_LINEAR)[view.window].astype(int)
    found = sample_view(behind, stretched(view, one, other), cv2.INTER_LINEAR)
    assert np.abs(found - wanted).mean() < 1.5


def test_shrinking_to_a_quarter_drops_no_detail():
    checks = np.kron(np.indices((128, 128)).sum(0) % 2, np.ones((2, 2))).astype(np.uint8) * 255
    canvas = plain_canvas(checks.shape)
    turned = affine_canvas(checks.shape, 32, False, 0.0, np.random.default_rng(0))
    for one in (canvas, turned):
        view = view_at(one, (128, 128), 256, 32)
        askew = view._replace(matrix=view.matrix + np.array([[0, 0.05, 0], [0, 0, 0]]))
        for seen in (sample_view(checks, view), sample_view(checks, askew)):
            assert np.abs(seen[3:-3, 3:-3].astype(int) - 127).max() <= 40
