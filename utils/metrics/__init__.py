"""The four metrics of matting, equal to Adobe's Matlab code: SAD, MSE, Grad and Conn.

Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009.

All take `pred`, `alpha` and `trimap`, uint8 (H, W): the predicted matte, the true one, and a trimap
of 0, 128 (unknown) and 255. They are plain floats, 0 for a perfect prediction and, but for
MSE, 0 where no pixel is unknown; a `ValueError` says that an array is of another type or shape, or
that the trimap holds other values.
"""

import cv2
import numpy as np

from utils.metrics.conn import conn_over
from utils.metrics.grad import grad_over

__all__ = ["conn", "grad", "mse", "sad", "score", "score_exact"]


def sad(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Sum of absolute differences over the unknown pixels: thousands of fully wrong ones."""
    return _sad_over(pred, alpha, _unknown(pred, alpha, trimap))


def mse(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Mean squared difference of mattes in [0, 1] over the unknown pixels; nan if there is none."""
    return _mse_over(pred, alpha, _unknown(pred, alpha, trimap))


def grad(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Squared difference of gradient magnitudes, see `utils.metrics.grad.grad_over`."""
    return grad_over(pred, alpha, _unknown(pred, alpha, trimap))


def conn(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Difference in connectedness, see `utils.metrics.conn.conn_over`."""
    return conn_over(pred, alpha, _unknown(pred, alpha, trimap))


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
        "Grad": grad_over(pred, alpha, unknown),
        "Conn": conn_over(pred, alpha, unknown),
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
