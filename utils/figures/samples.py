"""A sheet of training samples, so that a person sees what the network sees."""

from pathlib import Path

import numpy as np

from utils.data.sources import Sources
from utils.figures.sheet import write_sheet

ROWS, GROUPS = 8, 3


def write_samples(path: Path, sources: Sources) -> None:
    """Draw training samples spread over the whole set: image, trimap and matte of each.

    Raises:
        InputError: a picture cannot be used, or the sheet cannot be saved.
    """
    samples = sources.samples("train")
    spread = np.linspace(0, len(samples) - 1, ROWS * GROUPS).astype(int)
    columns: dict[str, list[np.ndarray]] = {}
    for place, index in enumerate(spread):
        group = place % GROUPS + 1
        made = samples[0, int(index)]
        sources.failures.add(made.problems)
        image, trimap, alpha = (part.numpy() for part in made.sample[:3])
        for title, picture in (
            (f"image {group}", image.transpose(1, 2, 0)),
            (f"trimap {group}", trimap[0]),
            (f"matte {group}", alpha[0]),
        ):
            columns.setdefault(title, []).append(picture)
    write_sheet(path, columns)
