"""Tiles that follow the unknown region: where they lie, and how their mattes become one."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

# A network as a function of arrays: pictures (N,H,W,3), trimaps (N,H,W), 0 to 255, and of tiles the
# sides on which their picture goes on; to alphas, float32 (N,H,W).
Forward = Callable[..., np.ndarray]

BLEND = 16  # px beyond a core; with more, pixels that saw too little of the picture weigh in
CORE = 4  # cells: the side of the cores that are merged; smaller ones gain 1 to 4 %
BLOCK = 128  # cells: merging looks at so many together, so that its time grows with the picture's
OVERHEAD = 4  # cells: what a further tile costs besides its pixels
NEVER = 1 << 40


class Sides(NamedTuple):
    """Sides of a tile."""

    top: bool
    left: bool
    bottom: bool
    right: bool


class Box(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right`, the last of each outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left

    @property
    def pixels(self) -> int:
        height, width = self.shape
        return height * width

    @property
    def window(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Tile(NamedTuple):
    """The `outer` box is what the network sees, the `core` within it what the tile is made for."""

    core: Box
    outer: Box

    def ends_within(self, shape: tuple[int, int]) -> Sides:
        """The sides on which a picture of that `shape` goes on beyond the tile."""
        top, left, bottom, right = self.outer
        return Sides(top > 0, left > 0, bottom < shape[0], right < shape[1])


def plan_tiles(unknown: np.ndarray, stride: int, halo: int, side: int) -> list[Tile]:
    """Tiles of few pixels in all, so that each unknown pixel lies in a core.

    Args:
        unknown: bool (H,W).
        stride: cores and tiles begin and end at multiples of it, or at the border of the picture,
            so that pooling falls on the same pixels as in the whole picture.
        halo: how far a tile reaches beyond its core, in pixels, rounded up to the stride.
        side: no tile has more than side x side pixels; at least stride + 2 halo, rounded up.

    Returns:
        No tiles where nothing is unknown.
    """
    height, width = unknown.shape
    cells = _cells(unknown, stride)
    margin = -(-halo // stride)
    limit = (side // stride) ** 2
    largest = side // stride - 2 * margin
    tiles = []
    for top in range(0, cells.shape[0], BLOCK):
        for left in range(0, cells.shape[1], BLOCK):
            block = cells[top : top + BLOCK, left : left + BLOCK]
            # Cores of the largest size are better where all is unknown.
            origin = np.array((top, left, top, left))
            plans = [
                _merged(_cores(block, size) + origin, margin, limit, cells.shape)
                for size in (min(CORE, largest), largest)
            ]
            cores = min(plans, key=lambda plan: _costs(plan, margin, limit, cells.shape).sum())
            for core, outer in zip(cores, _grown(cores, margin, cells.shape), strict=True):
                boxes = ([int(cell) * stride for cell in box] for box in (core, outer))
                clipped = (
                    Box(top, left, min(bottom, height), min(right, width))
                    for top, left, bottom, right in boxes
                )
                tiles.append(Tile(*clipped))
    return tiles


def matte_tiles(
    forward: Forward,
    image: np.ndarray,
    trimap: np.ndarray,
    tiles: Sequence[Tile],
    batch: int,
    exact: bool,
) -> np.ndarray:
    """The mattes of the tiles as one, float32 (H,W); 0 where no tile is.

    Args:
        batch: how many tiles of one size go through the network at once.
        exact: whether cores are right as they are. If not, tiles are blended, and maps continued
            beyond the sides on which the picture goes on, see `utils.infer.context`.
    """

    def alike(tile: Tile) -> tuple:
        return -tile.outer.pixels, tile.outer.shape, () if exact else tile.ends_within(trimap.shape)

    total, weight = (np.zeros(trimap.shape, np.float32) for _ in range(2))
    # The largest come first: their memory, once free, has room for what follows.
    for (*_, sides), same in groupby(sorted(tiles, key=alike), key=alike):
        left = list(same)
        while left:
            now, left = left[:batch], left[batch:]
            windows = [tile.outer.window for tile in now]
            alphas = forward(
                np.stack([image[window] for window in windows]),
                np.stack([trimap[window] for window in windows]),
                sides or None,
            )
            for tile, window, alpha in zip(now, windows, alphas, strict=True):
                share = weights(tile, trimap.shape, 0 if exact else BLEND)
                total[window] += share * alpha
                weight[window] += share
    return np.divide(total, weight, out=total, where=weight > 0)


def weights(tile: Tile, shape: tuple[int, int], blend: int) -> np.ndarray:
    """How much a tile counts in each of its pixels, (H,W) of its outer box, in [0, 1].

    It is 1 in the core and falls to 0 within `blend` pixels beyond it, linearly: what lies further
    out in the halo saw too little of the picture. Towards the border of the picture, of that
    `shape`, it stays 1.
    """
    core, outer = tile
    top, left, bottom, right = tile.ends_within(shape)
    rows = _ramp(outer.top, core.top, core.bottom, outer.bottom, (top, bottom), blend)
    columns = _ramp(outer.left, core.left, core.right, outer.right, (left, right), blend)
    return np.outer(rows, columns)


def _ramp(
    start: int, first: int, last: int, end: int, falls: tuple[bool, bool], blend: int
) -> np.ndarray:
    """1 from `first` to `last`; the halos, `start` to `first` and `last` to `end`, beside it."""
    place = np.arange(start, end, dtype=np.float32) + 0.5
    ramp = np.ones(end - start, np.float32)
    for beyond, fall in zip((first - place, place - last), falls, strict=True):
        if fall:
            ramp = np.minimum(ramp, np.where(beyond < 0, 1, 1 - beyond / max(blend, 0.5)))
    return ramp.clip(0, 1)


# --- planning, in cells of stride x stride pixels; boxes are rows of top, left, bottom, right ----


def _cells(unknown: np.ndarray, stride: int) -> np.ndarray:
    """Which cells hold an unknown pixel."""
    starts = [np.arange(0, size, stride) for size in unknown.shape]
    rows = np.logical_or.reduceat(unknown, starts[0], axis=0)
    return np.logical_or.reduceat(rows, starts[1], axis=1)


def _cores(cells: np.ndarray, size: int) -> np.ndarray:
    """A grid of that size; of each field the smallest box around its unknown cells, (N,4)."""
    boxes = []
    for top in range(0, cells.shape[0], size):
        for left in range(0, cells.shape[1], size):
            rows, columns = np.nonzero(cells[top : top + size, left : left + size])
            if len(rows):
                near = top + rows.min(), left + columns.min()
                boxes.append((*near, top + rows.max() + 1, left + columns.max() + 1))
    return np.array(boxes, int).reshape(-1, 4)


def _merged(cores: np.ndarray, margin: int, limit: int, shape: tuple[int, int]) -> np.ndarray:
    """Merge the two cores by which most is saved, until no two are worth it."""
    cores = cores.copy()
    costs = _costs(cores, margin, limit, shape)

    def gains(index: int) -> np.ndarray:
        together = _costs(_union(cores[index], cores), margin, limit, shape)
        gain = costs[index] + costs - together
        gain[index] = -NEVER
        return gain

    left = np.ones(len(cores), bool)
    table = np.array([gains(index) for index in range(len(cores))]).reshape(len(cores), len(cores))
    while len(cores):
        one, other = np.unravel_index(table.argmax(), table.shape)
        if table[one, other] <= 0:
            break
        cores[one] = _union(cores[one], cores[other])
        costs[one] = _costs(cores[one], margin, limit, shape)
        # The other one goes, and with it all that the new box happens to hold.
        within = (cores[:, :2] >= cores[one, :2]).all(1) & (cores[:, 2:] <= cores[one, 2:]).all(1)
        within[one] = False
        left &= ~within
        table[one] = table[:, one] = gains(one)
        table[~left] = table[:, ~left] = -NEVER
    return cores[left]


def _union(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    near = np.minimum(one[..., :2], others[..., :2])
    return np.concatenate([near, np.maximum(one[..., 2:], others[..., 2:])], axis=-1)


def _grown(cores: np.ndarray, margin: int, shape: tuple[int, int]) -> np.ndarray:
    near = np.maximum(cores[..., :2] - margin, 0)
    return np.concatenate([near, np.minimum(cores[..., 2:] + margin, shape)], axis=-1)


def _costs(cores: np.ndarray, margin: int, limit: int, shape: tuple[int, int]) -> np.ndarray:
    outer = _grown(cores, margin, shape)
    cells = (outer[..., 2:] - outer[..., :2]).prod(-1)
    return np.where(cells > limit, NEVER, cells + OVERHEAD)
