"""Keep what was decoded last, up to a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np

Arrays = TypeVar("Arrays", bound=tuple[np.ndarray, ...])


class Cache:
    """Tuples of arrays by key; the least recently used go when `limit` bytes are exceeded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._items: OrderedDict[Hashable, tuple[np.ndarray, ...]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Arrays]) -> Arrays:
        """What is kept under `key`, made now if it is not there."""
        if key in self._items:
            self._items.move_to_end(key)
            return self._items[key]
        item = make()
        if _bytes(item) > self._limit:  # it would only push out all others
            return item
        self._items[key] = item
        self._size += _bytes(item)
        while self._size > self._limit:
            _, oldest = self._items.popitem(last=False)
            self._size -= _bytes(oldest)
        return item


def _bytes(item: tuple[np.ndarray, ...]) -> int:
    return sum(array.nbytes for array in item)
