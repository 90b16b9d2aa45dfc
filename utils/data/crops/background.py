"""The part of a background that lies behind a sample, read at the scale that is needed."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path

import cv2
import numpy as np

from utils.data.crops.view import View
from utils.images.decode import image_size
from utils.images.reading import read_image

SHRINKS = (8, 4, 2)  # what a JPEG decoder can do on its way
SHRINKABLE = (".jpg", ".jpeg")


class Backgrounds:
    """Reads backgrounds and keeps those used last.

    A background covers the canvas of a view: it is enlarged where it is smaller, never shrunk, and
    laid at random where it is larger.

    Args:
        cache_mb: megabytes of decoded pictures to keep.
    """

    def __init__(self, cache_mb: int) -> None:
        self._cache = Cache(cache_mb << 20)
        self._sizes: dict[Path, tuple[int, int]] = {}

    def behind(
        self, path: Path, view: View, rng: np.random.Generator, interpolation: int | None = None
    ) -> np.ndarray:
        """The part of the picture at `path` behind a view, uint8 (crop, crop, 3).

        Args:
            interpolation: OpenCV's; None takes cubic to enlarge, linear or area means to shrink.

        Raises:
            InputError: the picture cannot be read.
        """
        side, crop = view.window[0].stop - view.window[0].start, view.crop
        shrink = 1
        if side >= SHRINKS[-1] * crop and path.suffix.lower() in SHRINKABLE:
            if path not in self._sizes:
                self._sizes[path] = image_size(path)
            needed = side / _enlargement(view, self._sizes[path]) / crop
            shrink = next((one for one in SHRINKS if needed >= one), 1)
        picture = self._cache.get((path, shrink), lambda: read_image(path, shrink))
        size = self._sizes[path] if shrink > 1 else picture.shape[:2]
        scale = _enlargement(view, size) * size[0] / len(picture)
        count = max(1, round(side / scale))
        spans = []
        for span, length, available in zip(view.window, view.canvas, picture.shape, strict=False):
            start = (span.start + rng.uniform() * (available * scale - length)) / scale
            start = min(int(start), max(0, available - count))
            spans.append(slice(start, start + count))
        part = picture[tuple(spans)]
        if part.shape[:2] == (crop, crop):
            return part
        if interpolation is None:
            shrinking = cv2.INTER_AREA if count >= 2 * crop else cv2.INTER_LINEAR
            interpolation = cv2.INTER_CUBIC if count < crop else shrinking
        return cv2.resize(part, (crop, crop), interpolation=interpolation)


def _enlargement(view: View, size: tuple[int, int]) -> float:
    """How much a background of this (height, width) is enlarged to cover the view's canvas."""
    return max(1.0, *(a / b for a, b in zip(view.canvas, size, strict=True)))


class Cache:
    """Arrays by key; the least recently used go when `limit` bytes are exceeded."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        """What is kept under `key`, made now if it is not there."""
        if key in self._arrays:
            self._arrays.move_to_end(key)
            return self._arrays[key]
        array = make()
        if array.nbytes > self._limit:  # it would only push out all others
            return array
        self._arrays[key] = array
        self._size += array.nbytes
        while self._size > self._limit:
            self._size -= self._arrays.popitem(last=False)[1].nbytes
        return array
