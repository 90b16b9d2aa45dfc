"""Unknown regions: a window has the trimap of the whole, and its places are drawn evenly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from tests.sets import disc
from utils.data.crops.radii import Radii, draw_radii, trimap_through, unknown_place
from utils.data.crops.view import plain_canvas, sample_view, view_at
from utils.data.store import Stored, stored_arrays
from utils.images.trimap import UNKNOWN, distance_trimap, make_trimap, narrow_trimap

KINDS = ("varied", "independent", "distance", "narrow")


def stored(alpha: np.ndarray) -> Stored:
    return stored_arrays(np.repeat(alpha[..., None], 3, axis=2), alpha)


def whole_trimap(alpha: np.ndarray, radii: Radii) -> np.ndarray:
    """The trimap of the whole matte, said once more and plainly."""
    if radii.kind == "narrow":
        return narrow_trimap(alpha, radii.foreground)
    if radii.kind == "distance":
        return distance_trimap(alpha, radii.foreground)
    inside, outside = (make_trimap(alpha, r) for r in (radii.foreground, radii.background))
    return np.where(alpha == 0, outside, inside)


@pytest.fixture
def alpha() -> np.ndarray:
    matte = disc(40, 52, softness=4)
    matte[5:9, 40:47] = 255  # with a hard edge
    return matte


@settings(max_examples=60)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.integers(10, 30))
def test_a_window_has_the_trimap_of_the_whole(kind, seed, side):
    rng = np.random.default_rng(seed)
    matte = np.roll(disc(40, 52, softness=1 + seed % 6), seed % 40, axis=1)
    radii = draw_radii(kind, (1, 9), rng)
    view = view_at(plain_canvas(matte.shape), (rng.integers(40), rng.integers(52)), side, side)
    source = stored(matte)
    shown = sample_view(source.rgba, view)[..., 3]
    found = trimap_through(source, radii, view, np.ascontiguousarray(shown))
    assert np.array_equal(found, whole_trimap(matte, radii)[view.window])


@pytest.mark.parametrize(
    "radii",
    [
        Radii("varied", 3, 3),
        Radii("independent", 1, 6),
        Radii("distance", 4, 4),
        Radii("narrow", 1, 1),
        Radii("narrow", 4, 4),
    ],
)
def test_places_are_unknown_pixels_drawn_evenly(alpha, radii):
    source, rng = stored(alpha), np.random.default_rng(0)
    unknown = whole_trimap(alpha, radii) == UNKNOWN
    counts = np.zeros(alpha.shape)
    for _ in range(8 * int(unknown.sum())):
        counts[unknown_place(source, radii, rng)] += 1
    assert not counts[~unknown].any()
    assert chisquare(counts[unknown]).pvalue > 1e-3


@pytest.mark.parametrize("radii", [Radii("distance", 1, 1), Radii("narrow", 1, 1)])
def test_places_are_unknown_also_where_few_are(radii):
    alpha = np.kron(np.indices((12, 12)).sum(0) % 2, np.ones((5, 5))).astype(np.uint8) * 255
    alpha[31, 33] = 100
    unknown = whole_trimap(alpha, radii) == UNKNOWN
    source, rng = stored(alpha), np.random.default_rng(0)
    assert all(unknown[unknown_place(source, radii, rng)] for _ in range(40))


@pytest.mark.parametrize("value", [0, 255])
def test_where_nothing_is_unknown_any_pixel_will_do(value):
    source, rng = stored(np.full((3, 4), value, np.uint8)), np.random.default_rng(0)
    places = {unknown_place(source, Radii("varied", 9, 9), rng) for _ in range(200)}
    assert places == {(row, column) for row in range(3) for column in range(4)}


def test_independent_widths_are_two_draws_and_the_others_one():
    rng = np.random.default_rng(0)
    for kind in KINDS:
        drawn = [draw_radii(kind, (1, 9), rng) for _ in range(300)]
        alike = np.mean([one.foreground == one.background for one in drawn])
        assert (0.04 < alike < 0.2) if kind == "independent" else alike == 1
        largest = 4 if kind == "narrow" else 9
        for side in ("foreground", "background"):
            assert {getattr(one, side) for one in drawn} == set(range(1, largest + 1))


def test_scaled_widths_stay_possible():
    assert Radii("varied", 10, 10).scaled(1.5) == Radii("varied", 15, 15)
    assert Radii("independent", 1, 200).scaled(0.1) == Radii("independent", 1, 20)
    assert Radii("independent", 100, 200).scaled(9) == Radii("independent", 254, 254)
    assert Radii("narrow", 3, 3).scaled(9) == Radii("narrow", 3, 3)
