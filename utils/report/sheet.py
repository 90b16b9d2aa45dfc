"""A sheet of pictures: one row a picture, one column a thing to compare."""

from pathlib import Path

import cv2
import numpy as np

from utils.data.images import write_image

HEIGHT = 240
MARGIN = 6
HEADER = 28


def write_sheet(path: Path, columns: dict[str, list[np.ndarray]]) -> None:
    """Write the columns, titled by their names, as one PNG.

    Args:
        columns: title -> pictures, uint8 (H,W) or (H,W,3); the n-th of each column make row n.
    """
    rows = [
        _row([_scaled(picture) for picture in pictures])
        for pictures in zip(*columns.values(), strict=True)
    ]
    width = max(row.shape[1] for row in rows)
    padded = [cv2.copyMakeBorder(r, 0, 0, 0, width - r.shape[1], 0, value=[255] * 3) for r in rows]
    # Rows differ in width, so that each carries its own titles above its own pictures.
    titled = [
        part
        for row, pictures in zip(padded, zip(*columns.values(), strict=True), strict=True)
        for part in (_titles(list(columns), [_scaled(p).shape[1] for p in pictures], width), row)
    ]
    write_image(path, np.concatenate(titled))


def _scaled(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    width = max(1, round(picture.shape[1] * HEIGHT / picture.shape[0]))
    shrinks = picture.shape[0] > HEIGHT
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, HEIGHT), interpolation=interpolation)


def _row(pictures: list[np.ndarray]) -> np.ndarray:
    gap = np.full((HEIGHT, MARGIN, 3), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)], 1)


def _titles(titles: list[str], widths: list[int], width: int) -> np.ndarray:
    band = np.full((HEADER, width, 3), 255, np.uint8)
    x = 0
    for title, step in zip(titles, widths, strict=True):
        cv2.putText(
            band, title, (x + 2, HEADER - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA
        )
        x += step + MARGIN
    return band
