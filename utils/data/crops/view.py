"""Which part of a picture a sample shows: plain windows and affine maps, cut before anything else.

A picture lies on a canvas of whole pixels, as it is or bent by an affine map; a square window
of the canvas, resized to the crop, is the sample.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

# GCA's but for its fourth, Lanczos: next to cubic it changes little and takes five times as long.
INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
DEGREES, SHEAR, SCALE = 30, 10, (0.8, 1.25)
TURNED_FROM = 1024  # a smaller picture is not rotated
SQUASHED = 640
ROOM = 1.1  # a canvas smaller than the crop is enlarged to so many crops

Window = tuple[slice, slice]


class Canvas(NamedTuple):
    """What a picture is laid on: its (height, width), and the map from the picture to it."""

    size: tuple[int, int]
    matrix: np.ndarray  # float64 (3, 3) of picture points (x, y, 1); pixel centres are whole

    @property
    def scale(self) -> float:
        """Pixels of the picture to one of the canvas, along a side."""
        return 1 / math.sqrt(abs(np.linalg.det(self.matrix)))


class View(NamedTuple):
    """A square window of a canvas, shown with `crop` x `crop` pixels.

    `matrix`, float64 (2, 3), gives the point of the picture that is seen at (x, y, 1); pixel
    centres are whole numbers on both sides.
    """

    canvas: tuple[int, int]
    window: Window
    crop: int
    matrix: np.ndarray

    @property
    def scale(self) -> float:
        """Pixels of the picture to one of the sample, along a side."""
        return math.sqrt(abs(np.linalg.det(self.matrix[:, :2])))


def plain_canvas(size: tuple[int, int]) -> Canvas:
    """The picture of (height, width) as it is."""
    return Canvas(size, np.eye(3))


def affine_canvas(
    size: tuple[int, int], crop: int, affine: bool, squash: float, rng: np.random.Generator
) -> Canvas:
    """A canvas for a picture of (height, width), drawn as GCA does (Li and Lu, AAAI 2020).

    Args:
        crop: the canvas is no smaller.
        affine: flipped either way, scaled by 0.8 to 1.25 along each side, turned by up to 30
            degrees (where the longer side is 1024 or more), sheared by up to 10, about the centre.
        squash: the probability that it is resized to 640 x 640 first.
    """
    height, width = size
    matrix = np.eye(3)
    if rng.random() < squash:
        matrix = resizing(width, height, SQUASHED, SQUASHED)
        height = width = SQUASHED
    if affine:
        matrix = _drawn_map(height, width, rng) @ matrix
    if min(height, width) <= crop:
        ratio = ROOM * crop / min(height, width)
        larger = round(height * ratio), round(width * ratio)
        matrix = resizing(width, height, *larger[::-1]) @ matrix
        height, width = larger
    return Canvas((height, width), matrix)


def view_at(canvas: Canvas, place: tuple[int, int], side: int, crop: int) -> View:
    """The view of `side` pixels of the canvas, as nearly centred on a place as the canvas allows.

    Args:
        place: (row, column) of a pixel of the picture.
        side: at most the canvas's shorter side.
    """
    column, row, _ = canvas.matrix @ (place[1], place[0], 1)
    starts = [
        int(np.clip(round(centre) - side // 2, 0, length - side))
        for centre, length in zip((row, column), canvas.size, strict=True)
    ]
    scale, (top, left) = side / crop, starts
    shift = (scale - 1) / 2
    seen = np.array([[scale, 0, left + shift], [0, scale, top + shift], [0, 0, 1]])
    matrix = (np.linalg.inv(canvas.matrix) @ seen)[:2]
    window = slice(top, top + side), slice(left, left + side)
    return View(canvas.size, window, crop, matrix)


def stretched(view: View, size: tuple[int, int], other: tuple[int, int]) -> View:
    """The view of a picture of (height, width) `other`, stretched to where one of `size` lies."""
    height, width = size
    matrix = resizing(width, height, *other[::-1])[:2] @ np.vstack([view.matrix, (0, 0, 1)])
    return view._replace(matrix=matrix)


def sample_view(
    picture: np.ndarray, view: View, interpolation: int | None = None, border: int = 0
) -> np.ndarray:
    """What a view shows of a picture.

    Args:
        picture: uint8 (H, W) or (H, W, C), possibly memory-mapped; only the part seen is read.
        interpolation: OpenCV's; None takes area means where it shrinks to half or less, else
            linear.
        border: value of what lies outside the picture.

    Returns:
        uint8 (crop, crop) or (crop, crop, C).
    """
    window = box(view, picture.shape)
    part = picture[window]
    crop = view.crop, view.crop
    if not part.size:
        return np.full((*crop, *picture.shape[2:]), border, np.uint8)
    a, b, _, c, d, _ = view.matrix.ravel()
    upright = a == d and a > 0 and b == c == 0
    if upright and part.shape[:2] == (round(a * view.crop),) * 2:
        if part.shape[:2] == crop:
            return part
        if interpolation is None:
            interpolation = cv2.INTER_AREA if a >= 2 else cv2.INTER_LINEAR
        return cv2.resize(part, crop, interpolation=interpolation)

    seen = within(view, window)
    if interpolation is None:
        interpolation = cv2.INTER_LINEAR
        shrunk = int(view.scale)
        if shrunk > 1:
            # Linear interpolation sees two pixels only; of several to one it would drop most.
            size = tuple(math.ceil(side / shrunk) for side in part.shape[:2])
            seen = stretched(seen, part.shape[:2], size)
            part = cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA)
    return cv2.warpAffine(
        part,
        seen.matrix,
        crop,
        flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(border,) * 4,
    )


def box(view: View, size: tuple[int, ...]) -> Window:
    """The rows and columns that a view needs of a picture of (height, width, ...) `size`."""
    spans = []
    for (along_x, along_y, shift), length in zip(view.matrix[::-1].tolist(), size, strict=False):
        middle = shift + (along_x + along_y) * (view.crop - 1) / 2
        half = (abs(along_x) + abs(along_y)) * view.crop / 2
        low, high = middle - half + 0.5, middle + half + 0.5
        whole = all(abs(edge - round(edge)) < 1e-6 for edge in (low, high))
        around = 0 if whole else 3  # what a kernel reads
        start = min(max(math.floor(low + 1e-6) - around, 0), length)
        stop = max(min(math.ceil(high - 1e-6) + around, length), start)
        spans.append(slice(start, stop))
    return tuple(spans)


def within(view: View, window: Window) -> View:
    """The same view, of the part of the picture in `window`."""
    rows, columns = window
    matrix = view.matrix - [[0, 0, columns.start], [0, 0, rows.start]]
    return view._replace(matrix=matrix)


def resizing(width: int, height: int, new_width: int, new_height: int) -> np.ndarray:
    """The map, float64 (3, 3), from a picture's points to those of the resized picture."""
    x, y = new_width / width, new_height / height
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _drawn_map(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Flipped and scaled, then turned, then sheared about the centre."""
    turn = math.radians(rng.uniform(-DEGREES, DEGREES) * (max(height, width) >= TURNED_FROM))
    shear = math.radians(rng.uniform(-SHEAR, SHEAR))
    x, y = rng.uniform(*SCALE, 2) * (1 - 2 * rng.integers(0, 2, 2))
    linear = np.eye(3)
    linear[0, :2] = math.cos(turn + shear) * x, -math.sin(turn + shear) * y
    linear[1, :2] = math.sin(turn) * x, math.cos(turn) * y
    to, back = np.eye(3), np.eye(3)
    to[:2, 2] = (width - 1) / 2, (height - 1) / 2
    back[:2, 2] = -to[:2, 2]
    return to @ linear @ back
