"""The embedded data set: foregrounds with exact mattes, and backgrounds, rendered from a seed."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.images.names import is_visible
from utils.images.writing import write_image
from utils.render.backgrounds import background
from utils.render.leaves import leaves
from utils.render.motion import defocus, motion, solid
from utils.render.net import lace, net
from utils.render.noise import Rng, Shape
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

    Raises:
        InputError: an argument is impossible, a set of somebody else is there, or a file cannot be
            written.
    """
    counts = (*foregrounds, *backgrounds)
    if size < 64 or workers < 1 or min(counts) < 0 or max(counts) > FIRST["test"]:
        raise InputError(
            f"sample: size={size} must be at least 64, workers={workers} at least 1 "
            f"and the counts {foregrounds}, {backgrounds} 0 to {FIRST['test']}"
        )
    root = Path(root)
    require_own((root / split / kind for split in FIRST for kind in ("fg", "alpha", "bg")), ITEM)
    items = [
        item
        for split, *numbers in zip(FIRST, foregrounds, backgrounds, strict=True)
        for item in _items(root / split, FIRST[split], *numbers)
    ]
    render_missing(_write, items, seed, size, workers, "sample", progress)


def require_own(folders: Iterable[Path], names: re.Pattern) -> None:
    """Raise an `InputError` where a folder holds a file of another name, of another set."""
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if is_visible(path.name) and not names.fullmatch(path.name):
                raise InputError(
                    f"{path}: is none of the sample, which would be rendered beside it; move "
                    "the set to a folder of its own and name that with --dataset"
                )


def render_missing(
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


def foreground(name: str, seed: int = 0, size: int = 720) -> tuple[np.ndarray, np.ndarray]:
    """The colour (H, W, 3) and the matte (H, W), uint8, of the item `KIND_NUMBER`."""
    rng = generator(name, seed)
    return SUBJECTS[name.rsplit("_", 1)[0]](rng, item_shape(rng, size))


def generator(name: str, seed: int) -> Rng:
    """The random draws of an item."""
    return np.random.default_rng([seed, crc32(name.encode())])


def item_shape(rng: Rng, size: float) -> Shape:
    """The height and width of an item: the long side near `size`, the aspect varied."""
    long = size * rng.uniform(0.89, 1.11)
    aspect = ASPECTS[rng.integers(len(ASPECTS))]
    width, height = long * min(1, aspect), long * min(1, 1 / aspect)
    return math.floor(height), math.floor(width)


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
