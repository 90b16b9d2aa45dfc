"""SAD and MSE over the unknown pixels, and the look at the input that all four metrics share."""

import cv2
import numpy as np


def sad(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Sum of absolute differences over the unknown pixels, divided by 1000.

    Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009.

    Args:
        pred, alpha, trimap: uint8 (H, W): predicted matte, true matte, and a trimap in which
            128 is unknown.

    Returns:
        Thousands of fully wrong pixels, in [0, unknown pixels / 1000]; 0 where none is unknown.

    Raises:
        ValueError: an array is not uint8 (H, W), or the shapes differ.
    """
    return sad_over(pred, alpha, unknown_pixels(pred, alpha, trimap))


def mse(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Mean squared difference over the unknown pixels, of mattes in [0, 1].

    Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009.

    Args:
        pred, alpha, trimap: uint8 (H, W): predicted matte, true matte, and a trimap in which
            128 is unknown.

    Returns:
        A value in [0, 1]; nan where no pixel is unknown.

    Raises:
        ValueError: an array is not uint8 (H, W), or the shapes differ.
    """
    return mse_over(pred, alpha, unknown_pixels(pred, alpha, trimap))


def sad_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    """`sad` over the mask that `unknown_pixels` returned; also of two float64 mattes in [0, 1]."""
    if not unknown.any():
        return 0.0
    # OpenCV sums 8-bit differences in integers: exact at any size.
    return cv2.norm(pred, alpha, cv2.NORM_L1, unknown) / _one(pred) / 1000


def mse_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    """`mse` over the mask that `unknown_pixels` returned; also of two float64 mattes in [0, 1]."""
    if not unknown.any():
        return float("nan")
    total = cv2.norm(pred, alpha, cv2.NORM_L2SQR, unknown) / _one(pred) ** 2
    return total / int(np.count_nonzero(unknown))


def unknown_pixels(
    pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray, kind: type[np.generic] = np.uint8
) -> np.ndarray:
    """Where the trimap is exactly 128, as uint8 0 or 1 (H, W), once the three arrays are checked.

    Args:
        kind: the type that both mattes must have; the trimap is uint8.

    Raises:
        ValueError: an array is not of its type and (H, W), or the shapes differ; the message names
            them.
    """
    arrays = {"pred": pred, "alpha": alpha, "trimap": trimap}
    given = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items())
    kinds = (kind, kind, np.uint8)
    if any(a.dtype != k or a.ndim != 2 for a, k in zip(arrays.values(), kinds, strict=True)):
        need = "three uint8 (H, W) arrays" if kind is np.uint8 else "float64, float64, uint8 (H, W)"
        raise ValueError(f"metrics need {need}, got {given}")
    if not pred.shape == alpha.shape == trimap.shape:
        raise ValueError(f"metrics need three arrays of one shape, got {given}")
    return (trimap == 128).view(np.uint8)


def _one(matte: np.ndarray) -> int:
    """What stands for opaque: 255 in 8 bits, 1 in floating point."""
    return 255 if matte.dtype == np.uint8 else 1
