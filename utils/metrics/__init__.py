"""The four metrics of matting, equal to Adobe's Matlab code: SAD, MSE, Grad and Conn.

Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009.

All take `pred`, `alpha` and `trimap`, uint8 (H, W): the predicted matte, the true one, and a trimap
of 0, 128 (unknown) and 255. They are plain floats, 0 for a perfect prediction and, but for
MSE, 0 where no pixel is unknown; a `ValueError` says that an array is of another type or shape, or
that the trimap holds other values. Needs NumPy and OpenCV alone; docs/metrics.md tells how other
versions differ.
"""

import cv2
import numpy as np
from scipy import ndimage

SIGMA = 1.4  # of the Gaussian whose derivative Grad takes
RADIUS = 4  # Matlab's code cuts the kernel where the Gaussian falls under 0.01: 9 x 9
STRIP = 96  # rows filtered at a time: the maps stay in the processor's cache
LEVELS = 10  # Conn's thresholds: 0.1, 0.2 ... 1
# How many of them an 8-bit value reaches: value / 255 >= l / 10, in integers, since in floating
# point 153 / 255 falls short of Matlab's 0.6.
REACHED = np.array([LEVELS * value // 255 for value in range(256)], np.uint8)


def sad(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Sum of absolute differences over the unknown pixels: thousands of fully wrong ones."""
    return _sad_over(pred, alpha, _unknown(pred, alpha, trimap))


def mse(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Mean squared difference of mattes in [0, 1] over the unknown pixels; nan if there is none."""
    return _mse_over(pred, alpha, _unknown(pred, alpha, trimap))


def grad(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Squared difference of gradient magnitudes, summed over the unknown pixels, over 1000.

    Each matte is stretched to [0, 1] by its own minimum and maximum over the whole image, and
    differentiated with a 9 x 9 first derivative of a Gaussian (L2-normalised, replicated border).
    A constant matte has no gradient. Known pixels count in the stretch and under the kernel.
    """
    return _grad_over(pred, alpha, _unknown(pred, alpha, trimap))


def conn(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Difference in connectedness, summed over the unknown pixels, over 1000.

    At each threshold, the source is the largest 4-connected region where both mattes reach it.
    A pixel of value v that belongs to the source at every threshold up to l has connectedness
    1 - (v - l), or 1 where v - l < 0.15. Known pixels are part of the regions.
    """
    return _conn_over(pred, alpha, _unknown(pred, alpha, trimap))


def score(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> dict[str, float]:
    """All four as `{"SAD":, "MSE":, "Grad":, "Conn":}`."""
    return _scores(pred, alpha, _unknown(pred, alpha, trimap))


def score_exact(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> dict[str, float]:
    """`score` of mattes in floating point, not rounded to 8 bits.

    The same definitions in float64: mattes of k / 255 score as the 8-bit mattes k do. A pixel
    passes Conn's threshold where v >= i / 10, i = 1..10, each the nearest double: a fraction that
    is exactly i / 10 passes.

    Args:
        pred, alpha: float64 (H, W) in [0, 1].
    """
    unknown = _unknown(pred, alpha, trimap, np.float64)
    for name, matte in (("pred", pred), ("alpha", alpha)):
        if not np.all((matte >= 0) & (matte <= 1)):  # nan is neither
            raise ValueError(f"metrics need mattes in [0, 1]; {name} has other values")
    return _scores(pred, alpha, unknown)


def _scores(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
    return {
        "SAD": _sad_over(pred, alpha, unknown),
        "MSE": _mse_over(pred, alpha, unknown),
        "Grad": _grad_over(pred, alpha, unknown),
        "Conn": _conn_over(pred, alpha, unknown),
    }


def _sad_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    if not unknown.any():
        return 0.0
    # OpenCV sums 8-bit differences in integers: exact at any size.
    return cv2.norm(pred, alpha, cv2.NORM_L1, unknown) / _one(pred) / 1000


def _mse_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    if not unknown.any():
        return float("nan")
    total = cv2.norm(pred, alpha, cv2.NORM_L2SQR, unknown) / _one(pred) ** 2
    return total / int(np.count_nonzero(unknown))


def _grad_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    kernels = _kernels(pred), _kernels(alpha)
    total = 0.0
    for top in range(0, len(unknown), STRIP):
        left, above, width, height = cv2.boundingRect(unknown[top : top + STRIP])
        if not width:  # nothing unknown here
            continue
        box = left, top + above, width, height
        mask = unknown[top + above : top + above + height, left : left + width]
        of_pred, of_alpha = _edges(pred, box, *kernels[0]), _edges(alpha, box, *kernels[1])
        total += cv2.norm(of_pred, of_alpha, cv2.NORM_L2SQR, mask)  # adds up in float64
    return total / 1000


def _kernels(matte: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussian and its derivative, float64 (9,), the latter times the stretch of the matte.

    The derivative ignores the offset of the stretch. Each kernel has L2 norm 1 before the stretch,
    and so has their outer product.
    """
    offset = np.arange(-RADIUS, RADIUS + 1)
    smooth = np.exp(-(offset**2) / (2 * SIGMA**2))
    slope = -offset * smooth
    low, high, _, _ = cv2.minMaxLoc(matte)
    stretch = 1 / (high - low) if high > low else 0.0
    return smooth / np.linalg.norm(smooth), stretch * slope / np.linalg.norm(slope)


def _edges(
    matte: np.ndarray, box: tuple[int, int, int, int], smooth: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """Gradient magnitude of the stretched matte inside a box (left, top, width, height).

    float32 of an 8-bit matte, else float64. The box is filtered with the pixels its kernels reach;
    only at the image's own border does what the filter replicates count.
    """
    left, top, width, height = box
    x, y = max(left - RADIUS, 0), max(top - RADIUS, 0)
    reached = matte[y : top + height + RADIUS, x : left + width + RADIUS]
    depth = cv2.CV_32F if matte.dtype == np.uint8 else cv2.CV_64F
    along_x = cv2.sepFilter2D(reached, depth, slope, smooth, borderType=cv2.BORDER_REPLICATE)
    along_y = cv2.sepFilter2D(reached, depth, smooth, slope, borderType=cv2.BORDER_REPLICATE)
    # Not cv2.magnitude: its last bit depends on where the array lies in memory, so a perfect
    # prediction would now and then not score 0.
    magnitude = np.sqrt(along_x * along_x + along_y * along_y)
    return magnitude[top - y : top - y + height, left - x : left - x + width]


def _conn_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    if not unknown.any():
        return 0.0
    level = _connected_level(np.minimum(pred, alpha))
    left, top, width, height = cv2.boundingRect(unknown)
    box = slice(top, top + height), slice(left, left + width)
    lost = _lost(pred[box], level[box]), _lost(alpha[box], level[box])
    units = 51 * LEVELS if pred.dtype == np.uint8 else 1
    difference = cv2.copyTo(cv2.absdiff(*lost), unknown[box])
    return cv2.norm(difference, cv2.NORM_L1) / units / 1000


def _connected_level(shared: np.ndarray) -> np.ndarray:
    """How many thresholds, from 0.1 up without a gap, have a pixel in their source: 0..10."""
    level = np.zeros(shared.shape, np.uint8)
    inside: np.ndarray | bool = True
    for step in range(1, LEVELS + 1):
        passing = REACHED[shared] >= step if shared.dtype == np.uint8 else shared >= step / LEVELS
        # Transposed, so that of regions of one size the first in column order wins, as in Matlab.
        labels, count = ndimage.label(passing.T)
        if not count:
            break
        largest = np.bincount(labels.ravel())[1:].argmax() + 1
        inside &= (labels == largest).T
        level += inside
    return level


def _lost(matte: np.ndarray, level: np.ndarray) -> np.ndarray:
    """1 - connectedness (H, W): float64, or of an 8-bit matte int16 in units of 1/510.

    With v = value / 255 and l = level / 10, v - l is (2 value - 51 level) / 510, and it counts
    from 0.15 = 76.5 / 510 on: between two integers, so rounding never decides.
    """
    if matte.dtype == np.uint8:
        distance = 2 * matte.astype(np.int16) - 51 * level.astype(np.int16)
        return np.where(distance > 76, distance, np.int16(0))
    distance = matte - level / LEVELS
    return np.where(distance >= 0.15, distance, 0.0)


def _unknown(
    pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray, kind: type[np.generic] = np.uint8
) -> np.ndarray:
    """Where the trimap is exactly 128, uint8 0 or 1 (H, W); both mattes must be of that `kind`."""
    arrays = {"pred": pred, "alpha": alpha, "trimap": trimap}
    given = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items())
    types = tuple(a.dtype for a in arrays.values())
    if types != (kind, kind, np.uint8) or any(a.ndim != 2 for a in arrays.values()):
        need = "three uint8 (H, W) arrays" if kind is np.uint8 else "float64, float64, uint8 (H, W)"
        raise ValueError(f"metrics need {need}, got {given}")
    if not pred.shape == alpha.shape == trimap.shape:
        raise ValueError(f"metrics need three arrays of one shape, got {given}")
    unknown = trimap == 128
    others = ~unknown & (trimap != 0) & (trimap != 255)
    if others.any():
        raise ValueError(f"metrics need a trimap of 0, 128 and 255; it holds {trimap[others][0]}")
    return unknown.view(np.uint8)


def _one(matte: np.ndarray) -> int:
    """What stands for opaque: 255 in 8 bits, 1 in floating point."""
    return 255 if matte.dtype == np.uint8 else 1
