"""A sheet of training samples, so that a person sees what the network sees."""

from pathlib import Path

import numpy as np

from utils.data.crops import CropSet
from utils.report.sheet import write_sheet

ROWS, GROUPS = 8, 3


def write_samples(path: Path, samples: CropSet) -> None:
    """Draw samples spread over the whole set: image, trimap and matte of each.

    Raises:
        InputError: a picture cannot be used, or the sheet cannot be saved.
    """
    spread = np.linspace(0, len(samples) - 1, ROWS * GROUPS).astype(int)
    columns: dict[str, list[np.ndarray]] = {}
    for place, index in enumerate(spread):
        group = place % GROUPS + 1
        image, trimap, alpha = (part.numpy() for part in samples[0, int(index)].sample)
        for title, picture in (
            (f"image {group}", image.transpose(1, 2, 0)),
            (f"trimap {group}", trimap[0]),
            (f"matte {group}", alpha[0]),
        ):
            columns.setdefault(title, []).append(picture)
    write_sheet(path, columns)
