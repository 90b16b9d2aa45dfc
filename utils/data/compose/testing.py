"""Compose a test set as Composition-1k is composed, with trimaps; can be resumed."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np

from models.errors import InputError
from utils.cli.problems import refuse
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.composites import Composition, compositions, pixels, read_pair
from utils.data.compose.made import describe, note, outdated, require_made
from utils.data.folders import Foreground
from utils.disk.lock import alone
from utils.disk.room import MATTE, PHOTOGRAPH, require_room
from utils.images.agreement import require_agreement
from utils.images.levels import UNKNOWN
from utils.images.listing import list_images
from utils.images.names import name_of
from utils.images.pairing import belongs_to_none, by_owner
from utils.images.reading import read_image, read_trimap, require_unknown
from utils.images.sizes import check_same_size
from utils.images.trimap import draw_radius, trimap_from_radius, unknown_radius
from utils.images.writing import write_image

log = logging.getLogger(__name__)

FOLDERS = ("image", "alpha", "trimap")
BYTES_PER_PIXEL = PHOTOGRAPH[".png"] + 2 * MATTE


def compose_test_set(
    root: Path | str,
    backgrounds: Sequence[Path],
    per_foreground: int = 20,
    radius: tuple[int, int] = (1, 30),
    seed: int = 0,
    workers: int = 0,
) -> Path:
    """Compose every test foreground of `root` over backgrounds.

    Foreground i takes the backgrounds i n to i n + n - 1, and begins again when they run out.
    Composite k of a foreground is `root/test/composed/{image,alpha,trimap}/NAME_k.png`. Its trimap
    is `root/test/trimap/NAME_k.png` or `NAME.png` where the set brings one; else it is made with a
    radius that depends on the seed and on NAME_k alone.

    Composites that are there, whole and made of these files as they are now, stay; with another
    seed or radius all are made again, and those that no longer belong to the set are removed.

    Args:
        root: the folder of the data set.
        backgrounds: paths in order.
        per_foreground: n.
        radius: smallest and largest radius of the trimaps that are made, in pixels.
        workers: processes; 0 composes in this one.

    Returns:
        The folder `root/test/composed`.

    Raises:
        InputError: a picture cannot be used; a matte or a trimap is of another size than its
            foreground, has no unknown pixel, or contradicts it; a trimap is of none; the disk is
            too small; `composed` holds pictures that were not made here; another process composes
            this set.
    """
    root = Path(root)
    draw_radius(np.random.default_rng(0), *radius)  # complain now, not after half of the work
    if seed < 0:
        raise InputError(f"seed {seed}: choose 0 or more")
    wanted = compositions(root, "test", backgrounds, per_foreground)
    composed = root / "test" / "composed"
    with alone(composed, "composing the test set"):
        jobs = _due(root, composed, wanted, radius, seed)
        total = sum(len(job.composition.composites) for job in jobs)
        with progress_bar(total=total, desc="composing", unit="image", disable=not total) as bar:
            for count in run(_compose_foreground, jobs, workers, composed):
                bar.update(count)
    return composed


class _Job(NamedTuple):
    composed: Path
    composition: Composition
    trimaps: dict[str, Path]  # those that the set brings, by NAME_k
    radius: tuple[int, int]
    seed: int


def _due(
    root: Path, composed: Path, wanted: list[Composition], radius: tuple[int, int], seed: int
) -> list[_Job]:
    """What is to be made. What is outdated is removed, once it is known that there is room."""
    trimaps = _brought_trimaps(root, wanted)
    sources = {}
    for foreground, composites in wanted:
        for one in composites:
            brought = [trimaps[one.name]] if one.name in trimaps else []
            sources[one.name] = [foreground.fg, foreground.alpha, one.background, *brought]
    description = describe(root, sources, {"radius": list(radius), "seed": seed})
    file = composed / "settings.json"
    pictures = [path for folder in FOLDERS for path in (composed / folder).glob("*.png")]
    require_made(file, description, pictures)
    old = set(outdated(file, description, pictures))
    there = Counter(name_of(path) for path in pictures if path not in old)

    jobs = []
    for foreground, composites in wanted:
        due = [one for one in composites if there[one.name] < len(FOLDERS)]
        brought = {one.name: trimaps[one.name] for one in due if one.name in trimaps}
        if due:
            jobs.append(_Job(composed, Composition(foreground, due), brought, radius, seed))
    count = sum(len(job.composition.composites) for job in jobs)
    if count < len(sources):
        kept = len(sources) - count
        log.info("%s: %d composites are there already, %d to make", composed, kept, count)
    needed = pixels(job.composition for job in jobs) * BYTES_PER_PIXEL
    require_room(composed, needed, replaced=old)
    for path in old:
        path.unlink()
    note(file, description)
    return jobs


def _brought_trimaps(root: Path, wanted: list[Composition]) -> dict[str, Path]:
    """{NAME_k: the trimap that the set brings for it}."""
    folder = root / "test" / "trimap"
    if not folder.is_dir():
        return {}
    trimaps, others = by_owner(list_images(folder), [one.foreground.name for one in wanted])
    refuse([belongs_to_none(path) for path in others])
    brought = {}
    for foreground, composites in wanted:
        for k, one in enumerate(composites):
            own = trimaps.get((foreground.name, k)) or trimaps.get((foreground.name, None))
            if own:
                brought[one.name] = own
    return brought


def _compose_foreground(job: _Job) -> int:
    composed, (foreground, composites), trimaps, radius, seed = job
    fg, alpha = read_pair(foreground)
    height, width = alpha.shape
    distance = unknown_radius(alpha) if len(trimaps) < len(composites) else None
    brought: dict[Path, np.ndarray] = {}
    for one in composites:
        path = trimaps.get(one.name)
        if path is not None:
            if path not in brought:
                brought[path] = _brought_trimap(path, foreground, alpha)
            trimap = brought[path]
        else:
            rng = np.random.default_rng((seed, crc32(one.name.encode())))
            drawn = draw_radius(rng, *radius)
            trimap = trimap_from_radius(alpha, distance, drawn)
            if not np.any(trimap == UNKNOWN):
                raise InputError(
                    f"{foreground.alpha}: this matte has nothing unknown at radius {drawn}; "
                    "remove the foreground, or choose a larger radius"
                )
        background = fit_background(read_image(one.background), height, width)
        write_image(composed / "trimap" / f"{one.name}.png", trimap)
        write_image(composed / "alpha" / f"{one.name}.png", alpha)
        write_image(composed / "image" / f"{one.name}.png", compose(fg, alpha, background))
    return len(composites)


def _brought_trimap(path: Path, foreground: Foreground, alpha: np.ndarray) -> np.ndarray:
    trimap = read_trimap(path)
    check_same_size(path, trimap, foreground.fg, alpha)
    require_unknown(path, trimap)
    require_agreement(path, trimap, foreground.alpha, alpha)
    return trimap
