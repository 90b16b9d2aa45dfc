"""Grad: how far the edges of the matte differ from the true ones."""

import cv2
import numpy as np

SIGMA = 1.4  # of the Gaussian whose derivative is taken
RADIUS = 4  # Matlab's code cuts the kernel where the Gaussian falls under 0.01: 9 x 9
STRIP = 96  # rows filtered at a time: the maps stay in the processor's cache


def grad_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    """Squared difference of gradient magnitudes, summed over the unknown pixels, over 1000.

    Each matte is stretched to [0, 1] by its own minimum and maximum over the whole image, and
    differentiated with a 9 x 9 first derivative of a Gaussian (L2-normalised, replicated border).
    A constant matte has no gradient. Known pixels count in the stretch and under the kernel.

    Args:
        pred, alpha: uint8 (H, W), or float64 in [0, 1].
        unknown: uint8 (H, W), 0 or 1.
    """
    if not unknown.any():
        return 0.0
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

    The derivative ignores the offset of the stretch, so its factor is all there is to apply: 0 for
    a constant matte. Each kernel has L2 norm 1 before, and so has their outer product.
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

    float32, which is enough for 8 bits; float64 of a float64 matte.

    The box is filtered with the pixels its kernels reach. Where the image ends first, the filter
    replicates its border as it should; elsewhere the replicated values stay outside the box.
    """
    left, top, width, height = box
    x, y = max(left - RADIUS, 0), max(top - RADIUS, 0)
    reached = matte[y : top + height + RADIUS, x : left + width + RADIUS]
    depth = cv2.CV_32F if matte.dtype == np.uint8 else cv2.CV_64F
    along_x = cv2.sepFilter2D(reached, depth, slope, smooth, borderType=cv2.BORDER_REPLICATE)
    along_y = cv2.sepFilter2D(reached, depth, smooth, slope, borderType=cv2.BORDER_REPLICATE)
    # Not cv2.magnitude: its last bit depends on where the array lies in memory, so a perfect
    # prediction would now and then not score 0.
    along_x *= along_x
    along_y *= along_y
    magnitude = np.sqrt(np.add(along_x, along_y, out=along_x), out=along_x)
    return magnitude[top - y : top - y + height, left - x : left - x + width]
