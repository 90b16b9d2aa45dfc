"""A sheet of training samples, so that a person sees what the network sees."""

from pathlib import Path

import numpy as np

from utils.figures.sheet import write_sheet
from utils.tasks.task import Task

ROWS, GROUPS = 8, 3


def write_samples(path: Path, task: Task) -> None:
    """Draw training samples spread over the whole set, each as the task shows it.

    Raises:
        InputError: there is no data set, a picture cannot be used, or the sheet cannot be saved.
    """
    sources = task.sources()
    samples = sources.samples("train")
    spread = np.linspace(0, len(samples) - 1, ROWS * GROUPS).astype(int)
    columns: dict[str, list[np.ndarray]] = {}
    for place, index in enumerate(spread):
        result = samples[0, int(index)]
        sources.failures.add(result.problems)
        for title, picture in task.shown(result.sample).items():
            columns.setdefault(f"{title} {place % GROUPS + 1}", []).append(picture)
    write_sheet(path, columns)
