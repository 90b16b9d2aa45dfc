"""Sheets of pictures: one row a picture, one column a thing to compare."""

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from utils.images.writing import write_image

if TYPE_CHECKING:  # test.py's processes draw sheets without PyTorch
    from utils.tasks import Task

HEIGHT = 240
WIDEST = 10 * HEIGHT  # a picture of 20,000 x 1 becomes no wider
MARGIN = 6
TITLE = 28
SAMPLE_ROWS, GROUPS = 8, 3  # of a sheet of training samples


def write_sheet(path: Path, columns: dict[str, list[np.ndarray]]) -> None:
    """Write `sheet` of the columns as a PNG."""
    write_image(path, sheet(columns))


def write_samples(path: Path, task: "Task") -> None:
    """Draw training samples spread over the whole set, each as the task shows it."""
    sources = task.sources()
    samples = sources.samples("train")
    each = samples.members
    spread = np.linspace(0, len(samples) // each - 1, SAMPLE_ROWS * GROUPS // each).astype(int)
    columns: dict[str, list[np.ndarray]] = {}
    indices = (int(draw) * each + member for draw in spread for member in range(each))
    for place, index in enumerate(indices):
        result = samples[0, index]
        sources.failures.add(result.problems)
        for title, picture in task.shown(result.sample).items():
            columns.setdefault(f"{title} {place % GROUPS + 1}", []).append(picture)
    write_sheet(path, columns)


def sheet(columns: dict[str, list[np.ndarray]]) -> np.ndarray:
    """The columns under their titles in one picture, uint8 (H,W,3).

    Args:
        columns: title -> pictures, uint8 (H,W) or (H,W,3); the n-th of each column make row n.
    """
    parts = [_column(title, pictures) for title, pictures in columns.items()]
    gap = np.full((len(parts[0]), MARGIN, 3), 255, np.uint8)
    return np.concatenate([part for column in parts for part in (column, gap)], 1)


def scaled(picture: np.ndarray) -> np.ndarray:
    """A picture as a sheet shows it, uint8 (HEIGHT, W, 3), W at most WIDEST; white below if less.

    One of that size is not touched.
    """
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    height, width = HEIGHT, max(1, round(picture.shape[1] * HEIGHT / picture.shape[0]))
    if width > WIDEST:
        height, width = max(1, round(HEIGHT * WIDEST / width)), WIDEST
    smooth = cv2.INTER_AREA if picture.shape[0] > height else cv2.INTER_LINEAR
    return _padded(cv2.resize(picture, (width, height), interpolation=smooth), HEIGHT, width)


def _column(title: str, pictures: list[np.ndarray]) -> np.ndarray:
    rows = [scaled(picture) for picture in pictures]
    width = max(row.shape[1] for row in rows)
    band = np.full((TITLE, width, 3), 255, np.uint8)
    cv2.putText(band, title, (2, TITLE - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA)
    return np.concatenate([band, *(_padded(row, HEIGHT + MARGIN, width) for row in rows)])


def _padded(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture with white below and at its right."""
    missing = height - picture.shape[0], width - picture.shape[1]
    return cv2.copyMakeBorder(
        picture, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=[255] * 3
    )
