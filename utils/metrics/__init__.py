"""The four metrics of matting, equal to Adobe's Matlab code: SAD, MSE, Grad and Conn.

All follow Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009,
and take 8-bit mattes and a trimap whose unknown pixels are exactly 128; `score_exact` takes mattes
in floating point.
"""

import numpy as np

from utils.metrics.conn import conn, conn_over
from utils.metrics.grad import grad, grad_over
from utils.metrics.sad import mse, mse_over, sad, sad_over, unknown_pixels

__all__ = ["conn", "grad", "mse", "sad", "score", "score_exact"]


def score(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> dict[str, float]:
    """All four metrics of one matte, checking the input and finding the unknown pixels once.

    Args:
        pred, alpha, trimap: uint8 (H, W): predicted matte, true matte, and a trimap in which
            128 is unknown.

    Returns:
        `{"SAD":, "MSE":, "Grad":, "Conn":}` in published units (see `sad`, `mse`, `grad`, `conn`);
        MSE is nan where no pixel is unknown.

    Raises:
        ValueError: an array is not uint8 (H, W), or the shapes differ.
    """
    return _scores(pred, alpha, unknown_pixels(pred, alpha, trimap))


def score_exact(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> dict[str, float]:
    """`score` of mattes in floating point, not rounded to 8 bits.

    The same definitions in float64: mattes of k / 255 score as the 8-bit mattes k do. A pixel
    passes Conn's threshold where v >= i / 10, i = 1..10, each the nearest double: a fraction that
    is exactly i / 10 passes.

    Args:
        pred, alpha: float64 (H, W) in [0, 1].
        trimap: uint8 (H, W), 128 is unknown.

    Raises:
        ValueError: an array is of another type, the shapes differ, or a value is not in [0, 1].
    """
    unknown = unknown_pixels(pred, alpha, trimap, np.float64)
    for name, matte in (("pred", pred), ("alpha", alpha)):
        if not np.all((matte >= 0) & (matte <= 1)):  # nan is neither
            raise ValueError(f"metrics need mattes in [0, 1]; {name} has other values")
    return _scores(pred, alpha, unknown)


def _scores(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
    return {
        "SAD": sad_over(pred, alpha, unknown),
        "MSE": mse_over(pred, alpha, unknown),
        "Grad": grad_over(pred, alpha, unknown),
        "Conn": conn_over(pred, alpha, unknown),
    }
