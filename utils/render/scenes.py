"""The embedded sample for segmentation: scenes of the rendered foregrounds, their kinds as classes.

In VOC's layout, so that what reads VOC reads it.
"""

import re
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.compose.arithmetic import compose
from utils.data.voc.folders import CLASSES, INSIDE, LABELS, LISTS, PICTURES
from utils.images.labels import NO_LABEL, write_labels
from utils.images.listing import write_names
from utils.images.names import is_visible
from utils.images.writing import write_image
from utils.render import FIRST, SUBJECTS, item_shape
from utils.render.backgrounds import background

NAMES = ("background", *SUBJECTS)
KINDS = tuple(SUBJECTS)
UNCLEAR = (32, 96)  # a pixel with a matte in between has no label, as at the borders of VOC
SIZES = (0.6, 0.95)  # long side of a foreground, of that of its scene
SECOND = 0.5  # of the scenes have a second foreground, before the first
SHOWN = 0.85  # of a foreground's sides lies inside the scene, at least
ITEM = re.compile(r"scene_\d+\.(jpg|png)")


def render_scenes(
    root: Path,
    seed: int = 0,
    workers: int = 1,
    counts: tuple[int, int] = (240, 60),
    size: int = 160,
    progress: bool = True,
) -> None:
    """Write `root/VOCdevkit/VOC2012` with lists, pictures, label maps and the names of classes.

    Every scene depends on `seed`, `size` and its name only, not on workers, order or counts; files
    that exist already are kept.

    Args:
        counts: how many scenes to train and to validate on; kinds take turns.
        workers: processes; they are spawned, so a script calls this under `__main__`.
        size: typical long side in pixels.

    Raises:
        InputError: a set of somebody else is there, or a file cannot be written.
    """
    folder = Path(root) / INSIDE
    _require_own(folder)
    parts = {
        part: [f"scene_{first + index:04d}" for index in range(count)]
        for part, first, count in zip(("train", "val"), FIRST.values(), counts, strict=True)
    }
    jobs = [(folder, name, seed, size) for names in parts.values() for name in names]
    jobs = [job for job in jobs if not all(path.exists() for path in _files(*job[:2]))]
    with progress_bar(total=len(jobs), desc="scenes", unit="image", disable=not progress) as bar:
        for _ in run(_write, jobs, 0 if workers == 1 else workers, root):
            bar.update()
    for part, names in parts.items():
        write_names(folder / LISTS / f"{part}.txt", names)
    write_names(folder / CLASSES, NAMES)


def scene(name: str, seed: int = 0, size: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) and the labels (H, W), uint8, of the scene `scene_NUMBER`."""
    rng = np.random.default_rng([seed, crc32(name.encode())])
    shape = item_shape(rng, size)
    image, labels = background(rng, shape), np.zeros(shape, np.uint8)
    chosen = [KINDS[int(name.rsplit("_", 1)[1]) % len(KINDS)]]
    if rng.random() < SECOND:
        chosen.append(KINDS[rng.integers(len(KINDS))])
    for kind in chosen:
        own = item_shape(rng, size * rng.uniform(*SIZES))
        colour, alpha = SUBJECTS[kind](rng, own)
        colour, alpha = _placed(colour, alpha, shape, rng)
        image = compose(colour, alpha, image)
        low, high = UNCLEAR
        labels[alpha >= low] = NO_LABEL
        labels[alpha >= high] = NAMES.index(kind)
    return image, labels


def _placed(
    colour: np.ndarray, alpha: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A foreground at a random place of a scene of `shape`, most of it inside."""
    shift = []
    for side, length in zip(alpha.shape, shape, strict=True):
        low, high = sorted((-(1 - SHOWN) * side, length - SHOWN * side))
        shift.append(rng.uniform(low, high))
    matrix = np.float64([[1, 0, round(shift[1])], [0, 1, round(shift[0])]])
    size = shape[::-1]
    moved = cv2.warpAffine(colour, matrix, size, flags=cv2.INTER_NEAREST)
    return moved, cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_NEAREST)


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / PICTURES / f"{name}.jpg", folder / LABELS / f"{name}.png"


def _write(job: tuple[Path, str, int, int]) -> None:
    folder, name, seed, size = job
    image, labels = scene(name, seed, size)
    picture, label_map = _files(folder, name)
    write_image(picture, image)
    write_labels(label_map, labels)


def _require_own(folder: Path) -> None:
    """Raise an `InputError` where a set of somebody else is in the folders of the sample."""
    for place in (folder / PICTURES, folder / LABELS):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if is_visible(path.name) and not ITEM.fullmatch(path.name):
                raise InputError(
                    f"{path}: is none of the sample, which would be rendered beside it; move the "
                    "set to a folder of its own and name that with --dataset"
                )
