"""The embedded data sets, rendered from a seed: foregrounds with exact mattes, and backgrounds.

For segmentation, scenes of them, their kinds as classes, in VOC's layout.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
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
from utils.images.names import is_visible, write_names
from utils.images.writing import write_image
from utils.render.backgrounds import background
from utils.render.bodies import defocus, motion, solid
from utils.render.noise import Rng, Shape
from utils.render.openwork import lace, leaves, net
from utils.render.strands import fur, hair
from utils.render.translucent import glass, smoke

# Each takes a generator and (H, W); it returns the RGB colour and the matte, both uint8.
SUBJECTS: dict[str, Callable[[Rng, Shape], tuple[np.ndarray, np.ndarray]]] = {
    "hair": hair,
    "fur": fur,
    "smoke": smoke,
    "glass": glass,
    "net": net,
    "lace": lace,
    "leaves": leaves,
    "motion": motion,
    "defocus": defocus,
    "solid": solid,
}
# Every dozen holds each kind once, and hair and fur twice: they are what people matte most.
DOZEN = (*SUBJECTS, "hair", "fur")
ASPECTS = (4 / 3, 3 / 4, 3 / 2, 2 / 3, 1.0)
ITEM = re.compile(rf"({'|'.join(SUBJECTS)})_\d+\.png|scene_\d+\.jpg")
FIRST = {"train": 0, "test": 9000}  # numbers start here, so that no name is in both splits

KINDS = tuple(SUBJECTS)
NAMES = ("background", *KINDS)  # the classes of scenes
UNCLEAR = (32, 96)  # a pixel with a matte in between has no label, as at the borders of VOC
SIZES = (0.6, 0.95)  # long side of a foreground, of that of its scene
SECOND = 0.5  # of the scenes have a second foreground, before the first
SHOWN = 0.85  # of a foreground's sides lies inside the scene, at least
SCENE = re.compile(r"scene_\d+\.(jpg|png)")

Item = tuple[Path, ...]  # the files of what is rendered together, of one name


def render(
    root: Path,
    seed: int = 0,
    workers: int = 2,
    foregrounds: tuple[int, int] = (48, 12),
    backgrounds: tuple[int, int] = (64, 16),
    size: int = 720,
    progress: bool = True,
) -> None:
    """Write `root/{train,test}/{fg,alpha,bg}`; files that exist already are kept.

    `fg/NAME.png` is the foreground's 8-bit RGB colour, defined everywhere, `alpha/NAME.png` its
    8-bit matte of the same size, `bg/NAME.jpg` a background. A name tells the kind: `hair_000`.
    Every item depends on `seed`, `size` and its name only, not on workers, order or counts.

    Args:
        foregrounds: how many for train and for test, of all kinds in turn; 12 hold every kind.
        backgrounds: how many for train and for test.
        workers: processes; they are spawned, so a script calls this under `__main__`.
        size: typical long side in pixels; items have 0.89 to 1.11 times it.
    """
    root = Path(root)
    _require_own((root / split / kind for split in FIRST for kind in ("fg", "alpha", "bg")), ITEM)
    items = [
        item
        for split, *numbers in zip(FIRST, foregrounds, backgrounds, strict=True)
        for item in _items(root / split, FIRST[split], *numbers)
    ]
    _render_missing(_write, items, seed, size, workers, "sample", progress)


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
    """
    folder = Path(root) / INSIDE
    _require_own((folder / PICTURES, folder / LABELS), SCENE)
    parts = {
        part: [f"scene_{first + index:04d}" for index in range(count)]
        for part, first, count in zip(("train", "val"), FIRST.values(), counts, strict=True)
    }
    items = [
        (folder / PICTURES / f"{name}.jpg", folder / LABELS / f"{name}.png")
        for names in parts.values()
        for name in names
    ]
    _render_missing(_write_scene, items, seed, size, workers, "scenes", progress)
    for part, names in parts.items():
        write_names(folder / LISTS / f"{part}.txt", names)
    write_names(folder / CLASSES, NAMES)


def foreground(name: str, seed: int = 0, size: int = 720) -> tuple[np.ndarray, np.ndarray]:
    """The colour (H, W, 3) and the matte (H, W), uint8, of the item `KIND_NUMBER`."""
    rng = generator(name, seed)
    return SUBJECTS[name.rsplit("_", 1)[0]](rng, item_shape(rng, size))


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


def generator(name: str, seed: int) -> Rng:
    """The random draws of an item."""
    return np.random.default_rng([seed, crc32(name.encode())])


def item_shape(rng: Rng, size: float) -> Shape:
    """The height and width of an item: the long side near `size`, the aspect varied."""
    long = size * rng.uniform(0.89, 1.11)
    aspect = ASPECTS[rng.integers(len(ASPECTS))]
    width, height = long * min(1, aspect), long * min(1, 1 / aspect)
    return math.floor(height), math.floor(width)


def _require_own(folders: Iterable[Path], names: re.Pattern) -> None:
    """Raise an `InputError` where a folder holds a file of another name, of another set."""
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if is_visible(path.name) and not names.fullmatch(path.name):
                raise InputError(
                    f"{path}: is none of the sample, which would be rendered beside it; move "
                    "the set to a folder of its own and name that with --dataset"
                )


def _render_missing(
    write: Callable[[tuple[Item, int, int]], None],
    items: Sequence[Item],
    seed: int,
    size: int,
    workers: int,
    title: str,
    progress: bool,
) -> None:
    """Call `write` with (item, seed, size) for each item that is not whole on disk."""
    jobs = [(item, seed, size) for item in items if not all(path.exists() for path in item)]
    with progress_bar(total=len(jobs), desc=title, unit="image", disable=not progress) as bar:
        for _ in run(write, jobs, 0 if workers == 1 else workers, title):
            bar.update()


def _items(folder: Path, first: int, foregrounds: int, backgrounds: int) -> list[Item]:
    """The files of each item: (fg, alpha) or (bg,)."""
    counts = dict.fromkeys(SUBJECTS, first)
    items: list[Item] = []
    for index in range(foregrounds):
        kind = DOZEN[index % len(DOZEN)]
        name = f"{kind}_{counts[kind]:03d}.png"
        counts[kind] += 1
        items.append((folder / "fg" / name, folder / "alpha" / name))
    numbers = range(first, first + backgrounds)
    return items + [(folder / "bg" / f"scene_{number:03d}.jpg",) for number in numbers]


def _write(job: tuple[Item, int, int]) -> None:
    paths, seed, size = job
    name = paths[0].stem
    if len(paths) == 1:
        rng = generator(name, seed)
        image = background(rng, item_shape(rng, size))
        write_image(paths[0], image, quality=int(rng.integers(92, 98)))
        return
    for path, picture in zip(paths, foreground(name, seed, size), strict=True):
        if not path.exists():
            write_image(path, picture)


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


def _write_scene(job: tuple[Item, int, int]) -> None:
    (picture, label_map), seed, size = job
    image, labels = scene(picture.stem, seed, size)
    write_image(picture, image)
    write_labels(label_map, labels)
