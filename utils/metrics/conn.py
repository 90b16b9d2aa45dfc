"""Conn: how far the pixels of the matte are cut off from the object it shares with the truth."""

import cv2
import numpy as np

from utils.metrics.sad import unknown_pixels

LEVELS = 10  # thresholds 0.1, 0.2 ... 1
FLOOD_MARKS = (2, 3, 4)  # what the pixels of a 0-1 mask become, flood after flood


def conn(pred: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> float:
    """Difference in connectedness, summed over the unknown pixels and divided by 1000.

    At each threshold, the source is the largest 4-connected region where both mattes reach it.
    A pixel of value v that belongs to the source at every threshold up to l has connectedness
    1 - (v - l), or 1 where v - l < 0.15.
    Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009.

    Args:
        pred, alpha, trimap: uint8 (H, W): predicted matte, true matte, and a trimap in which
            128 is unknown. The known pixels count too: they are part of the regions.

    Returns:
        A value in [0, unknown pixels / 1000]; 0 where no pixel is unknown.

    Raises:
        ValueError: an array is not uint8 (H, W), or the shapes differ.
    """
    return conn_over(pred, alpha, unknown_pixels(pred, alpha, trimap))


def conn_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    """`conn` over the mask that `unknown_pixels` returned."""
    if not unknown.any():
        return 0.0
    level = _connected_level(np.minimum(pred, alpha, order="C"))
    lost = _lost(pred, level), _lost(alpha, level)
    return cv2.norm(*lost, cv2.NORM_L1, unknown) / (51 * LEVELS) / 1000  # an exact sum of integers


def _lost(matte: np.ndarray, level: np.ndarray) -> np.ndarray:
    """1 - connectedness, int16 (H, W), in units of 1/510.

    With v = value / 255 and l = level / 10, v - l is (2 value - 51 level) / 510, and it counts
    from 0.15 = 76.5 / 510 on: between two integers, so rounding never decides.
    """
    distance = cv2.addWeighted(matte, 2, level, -51, 0, dtype=cv2.CV_16S)
    return cv2.threshold(distance, 76, 0, cv2.THRESH_TOZERO)[1]


def _connected_level(shared: np.ndarray) -> np.ndarray:
    """How many thresholds, from 0.1 up without a gap, have a pixel in their source.

    Args:
        shared: uint8 (H, W), C order: the smaller of the two values at each pixel.

    Returns:
        uint8 (H, W), 0..10.
    """
    level = np.zeros_like(shared)
    source, seed, area = level, None, 0
    # From the top down: regions only grow then, so a pixel of a source floods the next one.
    for step in range(LEVELS, 0, -1):
        # value / 255 >= step / 10 in integers: in floating point 153 / 255 falls short of 0.6.
        passing = shared >= -(-255 * step // LEVELS)
        previous, area = area, np.count_nonzero(passing)
        if area != previous:  # else the same pixels have the same source
            source, seed = _largest_region(passing.view(np.uint8), area, seed)
        level = (level + 1) * source
    return level


def _largest_region(
    passing: np.ndarray, area: int, seed: tuple[int, int] | None
) -> tuple[np.ndarray, tuple[int, int]]:
    """The largest 4-connected region of a mask; on a tie the first in column order, as in Matlab.

    Floods a few regions: one that is larger than the others and than all that is left is the
    largest. In real mattes the first mostly is, at a fifth of the price of labelling every region.

    Args:
        passing: uint8 (H, W), 0 or 1, C order; overwritten.
        area: its number of ones, at least 1.
        seed: a pixel (x, y) that is 1 and likely to be inside; None for no idea.

    Returns:
        The region as bool (H, W), and a pixel (x, y) of it.
    """
    left, floods = area, []
    for mark in FLOOD_MARKS:
        seed = seed or _middle(passing)
        flooded = cv2.floodFill(passing, None, seed, mark, flags=4)[0]
        left -= flooded
        floods = sorted([*floods, (flooded, mark, seed)], reverse=True)
        largest, mark_of_largest, seed = floods[0]
        if all(largest > rival for rival in (left, *(flood[0] for flood in floods[1:]))):
            return passing == mark_of_largest, seed
        if not left:  # a tie
            break
        seed = None
    return _largest_label(passing)


def _largest_label(passing: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """`_largest_region` by labelling them all: for ties and for many crumbs."""
    _, labels = cv2.connectedComponents(passing, connectivity=4)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0  # the background
    largest = np.flatnonzero(sizes == sizes.max())
    source = labels == largest[0] if len(largest) == 1 else np.isin(labels, largest)
    x = int(source.any(axis=0).argmax())
    y = int(source[:, x].argmax())
    return labels == labels[y, x], (x, y)


def _middle(passing: np.ndarray) -> tuple[int, int]:
    """A pixel (x, y) that is 1, in the middle of the row that has most of them."""
    unreached = passing == 1
    y = int(unreached.sum(axis=1, dtype=np.int32).argmax())
    columns = np.flatnonzero(unreached[y])
    return int(columns[len(columns) // 2]), y
