"""SAD, MSE, Grad and Conn: Adobe's values, values worked out by hand, invariants."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.reference import SHARED, metrics, needs_shared
from utils.metrics import conn, grad, mse, sad, score, score_exact

METRICS = [sad, mse, grad, conn]
EDGE_CASES = metrics()
FULL = SHARED / "oracles" / "metrics" / "alphamatting.json"
ALPHAMATTING = json.loads(FULL.read_text()) if FULL.is_file() else {}


def assert_scores(arrays: list[np.ndarray], expected: dict[str, float | None]) -> None:
    """All metrics, one by one and together, are within 1e-5 of the original's."""
    expected = {k: float("nan") if v is None else v for k, v in expected.items()}
    assert score(*arrays) == pytest.approx(expected, rel=1e-5, nan_ok=True)
    alone = {k: metric(*arrays) for k, metric in zip(expected, METRICS, strict=True)}
    assert alone == pytest.approx(expected, rel=1e-5, nan_ok=True)


@needs_shared
@pytest.mark.parametrize("name", ALPHAMATTING.get("values", []))
def test_the_original_on_real_mattes(name):
    paths = [SHARED / ALPHAMATTING[k].replace("NAME", name) for k in ("pred", "alpha", "trimap")]
    arrays = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    assert score(*arrays) == pytest.approx(ALPHAMATTING["values"][name], rel=1e-5)


@pytest.mark.parametrize("name", EDGE_CASES)
def test_the_original_on_edge_cases(name):
    case = EDGE_CASES[name]
    expected = {metric: case[metric] for metric in ("SAD", "MSE", "Grad", "Conn")}
    assert_scores([case[kind] for kind in ("pred", "alpha", "trimap")], expected)


def random_case(seed: int, height: int = 60, width: int = 83, blur: float = 3.0):
    """A blobby matte, a noisy prediction of it, and a trimap with all three values."""
    random = np.random.default_rng(seed)
    field = cv2.GaussianBlur(random.standard_normal((height, width)), (0, 0), blur)
    alpha = np.clip(128 + 120 * field / max(field.std(), 1e-9), 0, 255).astype(np.uint8)
    pred = np.clip(alpha + random.normal(0, 15, alpha.shape), 0, 255).astype(np.uint8)
    trimap = np.where((alpha == 0) | (alpha == 255), alpha, 128).astype(np.uint8)
    return pred, alpha, trimap


def test_sad_and_mse_by_hand():
    pred = np.array([[255, 0, 51], [7, 102, 0]], np.uint8)
    alpha = np.array([[0, 0, 102], [200, 51, 0]], np.uint8)
    trimap = np.array([[128, 128, 128], [0, 128, 255]], np.uint8)
    assert sad(pred, alpha, trimap) == pytest.approx((1 + 0 + 0.2 + 0.2) / 1000, rel=1e-12)
    assert mse(pred, alpha, trimap) == pytest.approx((1 + 0 + 0.04 + 0.04) / 4, rel=1e-12)


def test_a_perfect_prediction_scores_zero():
    _, alpha, trimap = random_case(0)
    assert score(alpha, alpha, trimap) == {"SAD": 0, "MSE": 0, "Grad": 0, "Conn": 0}


def test_memory_layout_changes_nothing_and_arrays_stay_as_they_are():
    arrays = random_case(0)
    before = [array.copy() for array in arrays]
    views = [np.asfortranarray(np.pad(array, 5))[5:-5, 5:-5] for array in arrays]
    for array in views:
        array.flags.writeable = False
    assert score(*views) == score(*arrays)
    assert all((a == b).all() for a, b in zip(arrays, before, strict=True))


def test_sums_are_exact_on_large_images():
    # 255 x 20 million is beyond 32 bits.
    pred = np.full((4000, 5000), 255, np.uint8)
    trimap = np.full_like(pred, 128)
    assert sad(pred, np.zeros_like(pred), trimap) == 20000
    assert mse(pred, np.zeros_like(pred), trimap) == 1
    assert conn(pred, np.zeros_like(pred), trimap) == 20000


@pytest.mark.parametrize("height, width", [(1, 1), (1, 300), (97, 5), (193, 96)])
def test_grad_agrees_with_scipy(height, width):
    # Heights around the strips that grad works in, unknown pixels up to and away from the border.
    pred, alpha, trimap = random_case(3, height, width)
    trimap[: height // 4] = 255
    assert grad(pred, alpha, trimap) == pytest.approx(slow_grad(pred, alpha, trimap), rel=1e-5)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(0.3, 5))
def test_conn_is_that_of_the_matlab_code_wherever_the_source_moves(seed, height, width, blur):
    # Blobs of two fields: the largest region changes from one threshold to the next.
    pred, alpha, trimap = random_case(seed, height, width, blur)
    if seed % 2:
        pred = cv2.max(pred, random_case(seed + 1, height, width, blur)[1])
    assert conn(pred, alpha, trimap) == pytest.approx(slow_conn(pred, alpha, trimap), rel=1e-9)


def test_8_bit_values_score_the_same_in_floating_point():
    pred, alpha, trimap = random_case(0, blur=2)
    pred[20:30, 20:60] = 153  # 0.6, which floating point may miss
    rounded = score(pred, alpha, trimap)
    exact = score_exact(pred / 255, alpha / 255, trimap)
    assert exact == pytest.approx(rounded, rel=1e-6)


def test_in_floating_point_differences_below_8_bits_count():
    _, alpha, trimap = random_case(0)
    off = np.clip(alpha / 255 + 0.001, 0, 1)
    unknown = trimap == 128
    scores = score_exact(off, alpha / 255, trimap)
    assert scores["SAD"] == pytest.approx(0.001 * unknown.sum() / 1000, rel=1e-2)
    assert scores["MSE"] == pytest.approx(1e-6, rel=1e-2)
    assert scores["Conn"] <= scores["SAD"] * (1 + 1e-9)
    assert score_exact(alpha / 255, alpha / 255, trimap) == dict.fromkeys(scores, 0)


def test_a_sixteen_bit_grid_passes_the_thresholds_that_it_holds():
    # 39321 / 65535 is 0.6: up to there the lower pixel is connected, as the 8-bit 153 is.
    pred = np.array([[65535], [39321]]) / 65535
    alpha, trimap = np.ones((2, 1)), np.full((2, 1), 128, np.uint8)
    assert score_exact(pred, alpha, trimap)["Conn"] == pytest.approx(0.4 / 1000, rel=1e-9)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_floating_point_mattes_must_be_between_0_and_1(value):
    alpha, trimap = np.zeros((2, 2)), np.full((2, 2), 128, np.uint8)
    with pytest.raises(ValueError, match=r"in \[0, 1\]; pred has other values"):
        score_exact(np.full((2, 2), value), alpha, trimap)
    with pytest.raises(ValueError, match=r"float64, uint8 \(H, W\), got pred uint8"):
        score_exact(trimap, alpha, trimap)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.integers(2, 256))
def test_finite_and_never_negative(seed, height, width, levels):
    random = np.random.default_rng(seed)
    # Few values and small images make ties of equal regions common.
    values = np.linspace(0, 255, levels).astype(np.uint8)
    pred, alpha = values[random.integers(0, levels, (2, height, width))]
    trimap = random.choice(np.array([0, 128, 255], np.uint8), (height, width))
    trimap.flat[random.integers(trimap.size)] = 128
    scores = score(pred, alpha, trimap)
    assert all(np.isfinite(value) and value >= 0 for value in scores.values())
    assert scores["Conn"] == pytest.approx(slow_conn(pred, alpha, trimap), rel=1e-9)


def test_without_unknown_pixels():
    pred, alpha, _ = random_case(4)
    scores = score(pred, alpha, np.zeros_like(pred))
    assert scores == pytest.approx({"SAD": 0, "MSE": np.nan, "Grad": 0, "Conn": 0}, nan_ok=True)
    empty = np.zeros((0, 7), np.uint8)
    assert np.isnan(mse(empty, empty, empty)) and sad(empty, empty, empty) == 0


@pytest.mark.parametrize("metric", [conn, score])
def test_refuses_other_shapes_and_types(metric):
    good = np.zeros((4, 6), np.uint8)
    with pytest.raises(ValueError, match=r"one shape.*alpha uint8 \(6, 4\)"):
        metric(good, good.T, good)
    with pytest.raises(ValueError, match=r"uint8 \(H, W\).*pred float64 \(4, 6\)"):
        metric(good / 255, good, good)
    with pytest.raises(ValueError, match=r"uint8 \(H, W\).*trimap uint8 \(4, 6, 3\)"):
        metric(good, good, np.zeros((4, 6, 3), np.uint8))


@pytest.mark.parametrize("metric", [*METRICS, score])
def test_trimaps_of_other_values_are_refused(metric):
    pred, alpha, trimap = random_case(0)
    for other, value in ((np.where(trimap == 128, np.uint8(127), trimap), 127), (trimap // 127, 1)):
        with pytest.raises(ValueError, match=f"a trimap of 0, 128 and 255; it holds {value}"):
            metric(pred, alpha, other)


def slow_grad(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Grad as the paper says it, in float64 with the full 9 x 9 kernel."""
    offset = np.arange(-4, 5)
    smooth = np.exp(-(offset**2) / (2 * 1.4**2))
    kernel = np.outer(smooth, -offset * smooth)
    kernel /= np.sqrt((kernel**2).sum())

    def magnitude(matte: np.ndarray) -> np.ndarray:
        stretched = (matte - float(matte.min())) / max(np.ptp(matte), 1)
        return np.hypot(
            ndimage.convolve(stretched, kernel, mode="nearest"),
            ndimage.convolve(stretched, kernel.T, mode="nearest"),
        )

    return ((magnitude(pred) - magnitude(alpha)) ** 2)[trimap == 128].sum() / 1000


def slow_conn(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Conn as the Matlab code says it: label the transposed image at every threshold."""
    level = np.full(pred.shape, -1.0)
    for step in range(1, 11):
        both = (10 * pred.astype(int) >= 255 * step) & (10 * alpha.astype(int) >= 255 * step)
        # SciPy numbers regions in row order, so transposed in Matlab's; argmax takes the first.
        labels = ndimage.label(both.T)[0].T
        sizes = np.bincount(labels.ravel(), minlength=2)[1:]
        source = both & (labels == 1 + sizes.argmax())
        level[(level < 0) & ~source] = (step - 1) / 10
    level[level < 0] = 1

    def connectedness(matte: np.ndarray) -> np.ndarray:
        distance = matte / 255 - level
        return 1 - distance * (distance >= 0.15)

    return np.abs(connectedness(pred) - connectedness(alpha))[trimap == 128].sum() / 1000
