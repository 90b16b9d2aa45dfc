"""Look at every file of a data set in VOC's layout and list everything that is wrong with it."""

import hashlib
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

    Among it are pictures that are validated on and trained on, under one name or two.

    Args:
        root: the folder of the data set.
        workers: processes; 0 does all in this one.

    Raises:
        InputError: no lists, names in them without files, or a worker was killed.
    """
    train, val = labelled(root, "train"), labelled(root, "val")
    pictures = list(dict.fromkeys(train + val))
    check = partial(_check, classes=len(class_names(root)))
    problems: list[str] = []
    contents: dict[Path, bytes] = {}
    with progress_bar(total=len(pictures), desc="checking", unit="picture") as bar:
        for image, content, problem in run(check, pictures, workers, root):
            contents[image] = content
            problems += [problem] if problem else []
            bar.update()
    trained = {contents[one.image]: one.image for one in train}
    for one in val:
        other = trained.get(contents[one.image])
        if other is not None:
            which = "it" if other == one.image else f"the same picture, {other},"
            problems.append(f"{one.image}: {which} is trained on, too; remove it from one list")
    log.info("%s: %d pictures, %d problems", root, len(pictures), len(problems))
    return sorted(problems)


def _check(one: Labelled, classes: int) -> tuple[Path, bytes, str | None]:
    """A picture, what tells its content from others', and what is wrong with it or its labels."""
    content, problem = hashlib.sha256(one.image.read_bytes()).digest(), None
    try:
        read_labelled(one, classes)
    except InputError as error:
        problem = str(error)
    return one.image, content, problem
