"""Conn: how far the pixels of the matte are cut off from the object it shares with the truth."""

import cv2
import numpy as np

LEVELS = 10  # thresholds 0.1, 0.2 ... 1
# How many of them a value of a matte reaches: value / 255 >= l / 10, in integers, since in floating
# point 153 / 255 falls short of Matlab's 0.6.
REACHED = np.array([LEVELS * value // 255 for value in range(256)], np.uint8)
FLOODED = 2  # what the ones of a mask become


def conn_over(pred: np.ndarray, alpha: np.ndarray, unknown: np.ndarray) -> float:
    """Difference in connectedness, summed over the unknown pixels and divided by 1000.

    At each threshold, the source is the largest 4-connected region where both mattes reach it.
    A pixel of value v that belongs to the source at every threshold up to l has connectedness
    1 - (v - l), or 1 where v - l < 0.15. Known pixels are part of the regions.

    Args:
        pred, alpha: uint8 (H, W), or float64 in [0, 1].
        unknown: uint8 (H, W), 0 or 1.
    """
    if not unknown.any():
        return 0.0
    level = _connected_level(_reached(np.minimum(pred, alpha, order="C")))
    left, top, width, height = cv2.boundingRect(unknown)
    box = slice(top, top + height), slice(left, left + width)
    lost = _lost(pred[box], level[box]), _lost(alpha[box], level[box])
    units = 51 * LEVELS if pred.dtype == np.uint8 else 1
    # Not `norm` with a mask, which takes nine times as long. Of 8 bits an exact sum of integers.
    difference = cv2.copyTo(cv2.absdiff(*lost), unknown[box])
    return cv2.norm(difference, cv2.NORM_L1) / units / 1000


def _reached(shared: np.ndarray) -> np.ndarray:
    """How many of the thresholds each value reaches, uint8 (H, W), 0..10."""
    if shared.dtype == np.uint8:
        return cv2.LUT(shared, REACHED)
    reached = np.zeros(shared.shape, np.uint8)
    for step in range(1, LEVELS + 1):
        reached += shared >= step / LEVELS
    return reached


def _lost(matte: np.ndarray, level: np.ndarray) -> np.ndarray:
    """1 - connectedness (H, W): float64, or of an 8-bit matte int16 in units of 1/510.

    With v = value / 255 and l = level / 10, v - l is (2 value - 51 level) / 510, and it counts
    from 0.15 = 76.5 / 510 on: between two integers, so rounding never decides.
    """
    if matte.dtype == np.uint8:
        distance = 2 * matte.astype(np.int16) - 51 * level.astype(np.int16)
        return cv2.threshold(distance, 76, 0, cv2.THRESH_TOZERO)[1]
    distance = matte - level / LEVELS
    return np.where(distance >= 0.15, distance, 0.0)


def _connected_level(reached: np.ndarray) -> np.ndarray:
    """How many thresholds, from 0.1 up without a gap, have a pixel in their source.

    Upwards, regions only shrink or fall apart. So the next source is looked for in the last one
    alone, unless another region could be larger by now; and once it lies elsewhere, all is known.

    Args:
        reached: uint8 (H, W), C order: how many thresholds both mattes reach.

    Returns:
        uint8 (H, W), 0..10.
    """
    level = np.zeros_like(reached)
    inside, window = np.ones_like(reached), (slice(None), slice(None))
    held, rival = -1, 0  # pixels of the last source; no region outside of it has more than these
    for step in range(1, LEVELS + 1):
        passing = inside & (reached[window] >= step).view(np.uint8)
        count = cv2.countNonZero(passing)
        if not count:
            break
        if rival > count / 2:  # too loose a bound by now
            everywhere = cv2.countNonZero((reached >= step).view(np.uint8))
            rival = min(rival, everywhere - count)
        if count != held or count <= rival:
            found = _largest_region(passing, count, rival)
            if found is None:
                source, rival = _largest_label((reached >= step).view(np.uint8))
                inside = source[window] & inside
                if not inside.any():
                    break
            else:
                inside, second = found
                rival = max(rival, second)
            held = cv2.countNonZero(inside)
            inside, window = _cropped(inside, window)
        level[window] += inside
    return level


def _largest_region(passing: np.ndarray, count: int, rival: int) -> tuple[np.ndarray, int] | None:
    """The largest 4-connected region of a mask, if it is larger than the others and than `rival`.

    A region that is larger than all that is left is the largest, which one flood mostly shows.

    Args:
        passing: uint8 (H, W), 0 or 1, C order; overwritten.
        count: its number of ones, at least 1.

    Returns:
        The region as uint8 0 or 1 (H, W), and a bound on the size of the others.
    """
    size = cv2.floodFill(passing, None, _middle(passing), FLOODED, flags=4)[0]
    if size > max(count - size, rival):
        return (passing == FLOODED).view(np.uint8), count - size
    np.minimum(passing, 1, out=passing)
    region, second = _largest_label(passing)
    return (region, second) if cv2.countNonZero(region) > max(second, rival) else None


def _largest_label(passing: np.ndarray) -> tuple[np.ndarray, int]:
    """The largest 4-connected region, and a bound on the others, by labelling them all.

    On a tie it is the first in column order, as in Matlab.
    """
    _, labels = cv2.connectedComponents(passing, connectivity=4)
    sizes = _sizes(labels)
    largest = np.flatnonzero(sizes == sizes.max())
    first = largest[0]
    if len(largest) > 1:
        tied = np.isin(labels, largest)
        x = int(tied.any(axis=0).argmax())
        first = labels[tied[:, x].argmax(), x]
    sizes[first] = 0
    return (labels == first).view(np.uint8), int(sizes.max())


def _sizes(labels: np.ndarray) -> np.ndarray:
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0  # the background
    return sizes


def _middle(passing: np.ndarray) -> tuple[int, int]:
    """A pixel (x, y) that is 1, in the middle of the row that has most of them."""
    y = int(cv2.reduce(passing, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).argmax())
    columns = np.flatnonzero(passing[y])
    return int(columns[len(columns) // 2]), y


def _cropped(inside: np.ndarray, window: tuple) -> tuple[np.ndarray, tuple[slice, slice]]:
    """The smallest part of a mask that holds all of it, and its place in the picture."""
    x, y, width, height = cv2.boundingRect(inside)
    top, left = ((part.start or 0) for part in window)
    place = slice(top + y, top + y + height), slice(left + x, left + x + width)
    return inside[y : y + height, x : x + width], place
