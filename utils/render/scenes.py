"""The embedded sample for segmentation: scenes of the rendered foregrounds, their kinds as classes.

In VOC's layout, so that what reads VOC reads it.
"""

import re
from pathlib import Path

import cv2
import numpy as np

from utils.data.compose.arithmetic import compose
from utils.data.voc.folders import CLASSES, INSIDE, LABELS, LISTS, PICTURES
from utils.images.labels import NO_LABEL, write_labels
from utils.images.names import write_names
from utils.images.writing import write_image
from utils.render import FIRST, SUBJECTS, Item, generator, item_shape, render_missing, require_own
from utils.render.backgrounds import background
from utils.render.noise import Rng, Shape

KINDS = tuple(SUBJECTS)
NAMES = ("background", *KINDS)
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
    require_own((folder / PICTURES, folder / LABELS), ITEM)
    parts = {
        part: [f"scene_{first + index:04d}" for index in range(count)]
        for part, first, count in zip(("train", "val"), FIRST.values(), counts, strict=True)
    }
    items = [
        (folder / PICTURES / f"{name}.jpg", folder / LABELS / f"{name}.png")
        for names in parts.values()
        for name in names
    ]
    render_missing(_write, items, seed, size, workers, "scenes", progress)
    for part, names in parts.items():
        write_names(folder / LISTS / f"{part}.txt", names)
    write_names(folder / CLASSES, NAMES)


def scene(name: str, seed: int = 0, size: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """The picture (H, W, 3) and the labels (H, W), uint8, of the scene `scene_NUMBER`."""
    rng = generator(name, seed)
    shape = item_shape(rng, size)
    image, labels = background(rng, shape), np.zeros(shape, np.uint8)
    chosen = [KINDS[int(name.rsplit("_", 1)[1]) % len(KINDS)]]
    if rng.random() < SECOND:
        chosen.append(KINDS[rng.integers(len(KINDS))])
    for kind in chosen:
        own = item_shape(rng, size * rng.uniform(*SIZES))
        colour, alpha = _placed(*SUBJECTS[kind](rng, own), shape, rng)
        image = compose(colour, alpha, image)
        low, high = UNCLEAR
        labels[alpha >= low] = NO_LABEL
        labels[alpha >= high] = NAMES.index(kind)
    return image, labels


def _placed(
    colour: np.ndarray, alpha: np.ndarray, shape: Shape, rng: Rng
) -> tuple[np.ndarray, np.ndarray]:
    """A foreground at a random place of a scene of `shape`, most of it inside."""
    shift = []
    for side, length in zip(alpha.shape, shape, strict=True):
        low, high = sorted((-(1 - SHOWN) * side, length - SHOWN * side))
        shift.append(round(rng.uniform(low, high)))
    matrix = np.float64([[1, 0, shift[1]], [0, 1, shift[0]]])
    return tuple(
        cv2.warpAffine(one, matrix, shape[::-1], flags=cv2.INTER_NEAREST) for one in (colour, alpha)
    )


def _write(job: tuple[Item, int, int]) -> None:
    (picture, label_map), seed, size = job
    image, labels = scene(picture.stem, seed, size)
    write_image(picture, image)
    write_labels(label_map, labels)
