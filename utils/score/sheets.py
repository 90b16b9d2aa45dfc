"""Sheets of a test's pictures: spread evenly over the set, and those that were matted worst."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from utils.figures.sheet import scaled, write_sheet
from utils.images.reading import read_alpha, read_image, read_matte
from utils.images.trimap import UNKNOWN
from utils.score.scores import Scores
from utils.score.sets import Picture, trimap_of

ROWS = 8
WORST = 10
FULL = 0.5  # an error of this much has the last colour: larger ones are rare, smaller ones matter
FONT = (cv2.FONT_HERSHEY_SIMPLEX, 0.5)


def spread(items: Sequence) -> Sequence:
    """So many of them as a sheet has rows, spread evenly."""
    return items[:: max(1, len(items) // ROWS)][:ROWS]


def write_mattes(path: Path, pictures: Sequence[Picture], mattes: Mapping[str, Path]) -> None:
    """A sheet of image, trimap, truth and each network's matte.

    Args:
        mattes: the folder of each network's mattes, by label.
    """
    chosen = spread(pictures)
    columns = {
        "image": [scaled(read_image(one.image)) for one in chosen],
        "trimap": [scaled(trimap_of(one)) for one in chosen],
        "truth": [scaled(read_alpha(one.alpha)) for one in chosen],
    }
    for label, folder in mattes.items():
        columns[label] = [scaled(read_alpha(folder / f"{one.name}.png")) for one in chosen]
    write_sheet(path, columns)


def write_worst(
    path: Path,
    scores: Scores,
    pictures: Sequence[Picture],
    mattes: Mapping[str, Path],
    metric: str,
    region: str = "unknown",
) -> None:
    """A sheet of the ten pictures with the largest `metric`, the worst first.

    Columns: image (where there is one), trimap, truth, matte, and the error of the pixels of the
    region, the others being left out of all metrics: black is none, then purple, orange, yellow for
    half of the range or more, the same in all rows.

    Args:
        mattes: the file of each picture's matte, by name.
    """
    by_name = {picture.name: picture for picture in pictures}
    rows = [row for row in scores.images if not math.isnan(row[metric])]
    columns: dict[str, list[np.ndarray]] = {}
    for row in sorted(rows, key=lambda row: -row[metric])[:WORST]:
        picture = by_name[row["name"]]
        alpha, trimap = read_matte(picture.alpha), trimap_of(picture)
        matte = read_matte(mattes[picture.name])
        cells = {"image": read_image(picture.image)} if picture.image else {}
        cells |= {"trimap": trimap, "truth": alpha, "matte": matte}
        scored = np.full_like(trimap, UNKNOWN) if region == "all" else trimap
        cells[f"error, 0 to {FULL}"] = error_map(matte, alpha, scored)
        for title, cell in cells.items():
            columns.setdefault(title, []).append(scaled(cell))
        caption = _caption(row, metric, len(columns["truth"][-1]))
        columns.setdefault("worst first", []).append(caption)
    if columns:
        write_sheet(path, columns)


def error_map(matte: np.ndarray, alpha: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    """|matte - alpha| of the unknown pixels in colours, uint8 (H, W, 3), RGB."""
    error = np.where(trimap == UNKNOWN, cv2.absdiff(matte, alpha), np.uint8(0))
    bright = cv2.convertScaleAbs(error, alpha=1 / FULL)  # cut off at 255
    return cv2.cvtColor(cv2.applyColorMap(bright, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def _caption(row: dict, metric: str, height: int) -> np.ndarray:
    """Name and score as a picture, beside the others."""
    lines = (row["name"], f"{metric} {row[metric]:.4g}")
    width = 12 + max(cv2.getTextSize(text, *FONT, 1)[0][0] for text in lines)
    cell = np.full((height, width), 255, np.uint8)
    for index, text in enumerate(lines):
        cv2.putText(cell, text, (6, 24 + 22 * index), *FONT, 0, 1, cv2.LINE_AA)
    return cell
