"""Compose a test set as Composition-1k is composed, with trimaps; can be resumed."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from tqdm import tqdm

from models.errors import InputError
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.composites import (
    Composite,
    Plan,
    is_whole,
    note,
    outdated,
    place,
    plan,
    read_pair,
)
from utils.data.folders import Foreground
from utils.images.levels import UNKNOWN
from utils.images.listing import list_images
from utils.images.pairing import by_owner
from utils.images.reading import read_image, read_trimap, require_unknown
from utils.images.sizes import check_same_size
from utils.images.trimap import draw_radius, reach, trimap_from_reach
from utils.images.writing import write_image
from utils.processes import run

log = logging.getLogger(__name__)

FOLDERS = ("image", "alpha", "trimap")


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

    Composites that are there, whole and newer than their sources, stay; with other settings all
    are made again, and those that no longer belong to the set are removed.

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
            foreground, or has no unknown pixel; the disk is full.
    """
    root = Path(root)
    draw_radius(np.random.default_rng(0), *radius)  # complain now, not after half of the work
    if seed < 0:
        raise InputError(f"seed {seed}: choose 0 or more")
    plans = plan(root, "test", backgrounds, per_foreground)
    composed = root / "test" / "composed"
    trimaps = _brought_trimaps(root, plans)
    _forget_others(root, plans, trimaps, {"radius": list(radius), "seed": seed})

    jobs = []
    for foreground, composites in plans:
        sources = [foreground.fg, foreground.alpha]
        due = [one for one in composites if not _is_whole(composed, one, sources, trimaps)]
        brought = {one.name: trimaps[one.name] for one in due if one.name in trimaps}
        if due:
            jobs.append(_Job(composed, Plan(foreground, due), brought, radius, seed))
    total = sum(len(job.plan.composites) for job in jobs)
    there = sum(len(one.composites) for one in plans) - total
    if there:
        log.info("%s: %d composites are there already, %d to make", composed, there, total)
    with tqdm(total=total, desc="composing", unit="image", disable=not total) as progress:
        for count in run(_compose_foreground, jobs, workers, composed):
            progress.update(count)
    return composed


class _Job(NamedTuple):
    composed: Path
    plan: Plan
    trimaps: dict[str, Path]  # those that the set brings, by NAME_k
    radius: tuple[int, int]
    seed: int


def _brought_trimaps(root: Path, plans: list[Plan]) -> dict[str, Path]:
    """{NAME_k: the trimap that the set brings for it}."""
    folder = root / "test" / "trimap"
    if not folder.is_dir():
        return {}
    trimaps, _ = by_owner(list_images(folder), [one.foreground.name for one in plans])
    brought = {}
    for foreground, composites in plans:
        for k, one in enumerate(composites):
            own = trimaps.get((foreground.name, k)) or trimaps.get((foreground.name, None))
            if own:
                brought[one.name] = own
    return brought


def _forget_others(root: Path, plans: list[Plan], trimaps: dict[str, Path], settings: dict) -> None:
    """Remove composites of other settings or of foregrounds that have gone; note the settings."""
    settings["composites"] = {
        one.name: [
            place(one.background, root),
            trimaps[one.name].name if one.name in trimaps else None,
        ]
        for _, composites in plans
        for one in composites
    }
    composed = root / "test" / "composed"
    file = composed / "settings.json"
    pictures = [path for kind in FOLDERS for path in (composed / kind).glob("*.png")]
    for path in outdated(file, settings, pictures):
        path.unlink()
    note(file, settings)


def _is_whole(
    composed: Path, one: Composite, sources: list[Path], trimaps: dict[str, Path]
) -> bool:
    outputs = [composed / kind / f"{one.name}.png" for kind in FOLDERS]
    brought = [trimaps[one.name]] if one.name in trimaps else []
    return is_whole(outputs, [*sources, one.background, *brought])


def _compose_foreground(job: _Job) -> int:
    composed, (foreground, composites), trimaps, radius, seed = job
    fg, alpha = read_pair(foreground)
    height, width = alpha.shape
    distance = reach(alpha) if len(trimaps) < len(composites) else None
    brought: dict[Path, np.ndarray] = {}
    for one in composites:
        path = trimaps.get(one.name)
        if path is not None:
            if path not in brought:
                brought[path] = _brought_trimap(path, foreground, fg)
            trimap = brought[path]
        else:
            rng = np.random.default_rng((seed, crc32(one.name.encode())))
            drawn = draw_radius(rng, *radius)
            trimap = trimap_from_reach(alpha, distance, drawn)
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


def _brought_trimap(path: Path, foreground: Foreground, fg: np.ndarray) -> np.ndarray:
    trimap = read_trimap(path)
    check_same_size(path, trimap, foreground.fg, fg)
    require_unknown(path, trimap)
    return trimap
