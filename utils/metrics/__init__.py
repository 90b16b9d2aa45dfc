"""The four metrics of matting, equal to Adobe's Matlab code: SAD, MSE, Grad and Conn.

All follow Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009,
and take 8-bit mattes and a trimap whose unknown pixels are exactly 128.
"""

import numpy as np

from utils.metrics.conn import conn, conn_over
from utils.metrics.grad import grad, grad_over
from utils.metrics.sad import mse, mse_over, sad, sad_over, unknown_pixels

__all__ = ["conn", "grad", "mse", "sad", "score"]


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
    unknown = unknown_pixels(pred, alpha, trimap)
    return {
        "SAD": sad_over(pred, alpha, unknown),
        "MSE": mse_over(pred, alpha, unknown),
        "Grad": grad_over(pred, alpha, unknown),
        "Conn": conn_over(pred, alpha, unknown),
    }
