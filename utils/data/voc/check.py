"""Look at every file of a data set in VOC's layout and list everything that is wrong with it."""

import logging
from functools import partial
from pathlib import Path

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.voc.folders import Labelled, class_names, labelled, read_labelled

log = logging.getLogger(__name__)


def check_labelled(root: Path | str, workers: int = 0) -> list[str]:
    """All that is wrong with the pictures and label maps in the lists, one line each, sorted.

    Args:
        root: the folder of the data set.
        workers: processes; 0 does all in this one.

    Raises:
        InputError: no lists, names in them without files, or a worker was killed.
    """
    pictures = list(dict.fromkeys(labelled(root, "train") + labelled(root, "val")))
    check = partial(_problem, classes=len(class_names(root)))
    found = []
    with progress_bar(total=len(pictures), desc="checking", unit="picture") as bar:
        for problem in run(check, pictures, workers, root):
            found += [problem] if problem else []
            bar.update()
    log.info("%s: %d pictures, %d problems", root, len(pictures), len(found))
    return sorted(found)


def _problem(one: Labelled, classes: int) -> str | None:
    try:
        read_labelled(one, classes)
    except InputError as error:
        return str(error)
    return None
