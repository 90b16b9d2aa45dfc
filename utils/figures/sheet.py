"""A sheet of pictures: one row a picture, one column a thing to compare."""

from pathlib import Path

import cv2
import numpy as np

from utils.images.writing import write_image

HEIGHT = 240
MARGIN = 6
TITLE = 28


def write_sheet(path: Path, columns: dict[str, list[np.ndarray]]) -> None:
    """Write `sheet` of the columns as a PNG."""
    write_image(path, sheet(columns))


def sheet(columns: dict[str, list[np.ndarray]]) -> np.ndarray:
    """The columns under their titles in one picture, uint8 (H,W,3).

    Args:
        columns: title -> pictures, uint8 (H,W) or (H,W,3); the n-th of each column make row n.
    """
    parts = [_column(title, pictures) for title, pictures in columns.items()]
    gap = np.full((len(parts[0]), MARGIN, 3), 255, np.uint8)
    return np.concatenate([part for column in parts for part in (column, gap)], 1)


def _column(title: str, pictures: list[np.ndarray]) -> np.ndarray:
    rows = [scaled(picture) for picture in pictures]
    width = max(row.shape[1] for row in rows)
    cells = [_padded(row, width) for row in rows]
    band = np.full((TITLE, width, 3), 255, np.uint8)
    cv2.putText(band, title, (2, TITLE - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA)
    return np.concatenate([band, *cells])


def scaled(picture: np.ndarray) -> np.ndarray:
    """A picture as a sheet shows it, uint8 (HEIGHT, W, 3); one of that height is not touched."""
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    width = max(1, round(picture.shape[1] * HEIGHT / picture.shape[0]))
    smooth = cv2.INTER_AREA if picture.shape[0] > HEIGHT else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, HEIGHT), interpolation=smooth)


def _padded(picture: np.ndarray, width: int) -> np.ndarray:
    right = width - picture.shape[1]
    white = [255] * 3
    return cv2.copyMakeBorder(picture, 0, MARGIN, 0, right, cv2.BORDER_CONSTANT, value=white)
