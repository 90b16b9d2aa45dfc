"""The published ways round large pictures: resized, cut into windows, at half resolution.

They are here to reproduce what others report. None is needed for want of memory: see tiles.
"""

import cv2
import numpy as np

from utils.images.trimap import UNKNOWN
from utils.infer.tiles import Forward


def matte_resized(
    forward: Forward, image: np.ndarray, trimap: np.ndarray, max_size: int, stride: int
) -> np.ndarray:
    """The matte of the resized picture, resized back, float32 (H,W).

    As pytorch-deep-image-matting's `whole` (its numbers are at 1600): each side becomes the largest
    multiple of the stride within it, or `max_size` where that is smaller. The two sides are treated
    apart, which distorts a picture that has one longer than `max_size`. The trimap is
    interpolated, too, and so has other values than 0, 128 and 255.
    """
    height, width = (max(stride, min(max_size, n - n % stride)) for n in trimap.shape)
    return _through(forward, image, trimap, (width, height))


def matte_windows(
    forward: Forward, image: np.ndarray, trimap: np.ndarray, max_size: int
) -> np.ndarray:
    """The mattes of windows side by side, float32 (H,W); 0 in those without unknown pixels.

    As pytorch-deep-image-matting's `crop` (its windows are 320): windows of `max_size` to a side
    without overlap, so that each has seams and knows nothing of the others. What is left over at
    the right and at the bottom is enlarged to a whole window, which distorts it.
    """
    alpha = np.zeros(trimap.shape, np.float32)
    for top in range(0, trimap.shape[0], max_size):
        for left in range(0, trimap.shape[1], max_size):
            window = slice(top, top + max_size), slice(left, left + max_size)
            if (trimap[window] == UNKNOWN).any():
                size = (max_size, max_size)
                alpha[window] = _through(forward, image[window], trimap[window], size)
    return alpha


def matte_half(forward: Forward, image: np.ndarray, trimap: np.ndarray, stride: int) -> np.ndarray:
    """The matte at half the resolution, resized back, float32 (H,W).

    As IndexNet's re-implementation of Deep Matting: both sides are halved, then enlarged to
    multiples of the stride; cubic, the trimap nearest.
    """
    shape = trimap.shape
    height, width = (max(1, round(n / 2)) for n in shape)
    aligned = -(-width // stride) * stride, -(-height // stride) * stride
    image = image.astype(np.float32)  # cubic overshoots, and the published code keeps that
    for size in ((width, height), aligned):
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        trimap = cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST)
    alpha = forward(image[None], trimap[None])[0]
    return cv2.resize(alpha, shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)


def _through(
    forward: Forward, image: np.ndarray, trimap: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Resize to (width, height), matte, resize back, all linearly."""
    small = [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR)[None] for one in (image, trimap)]
    height, width = trimap.shape
    return cv2.resize(forward(*small)[0], (width, height), interpolation=cv2.INTER_LINEAR)
