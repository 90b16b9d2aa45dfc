"""Compose a test set as Composition-1k is composed, with trimaps; can be resumed."""

import json
import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import cv2
import numpy as np
from tqdm import tqdm

from models.atomic import atomic
from models.errors import InputError
from utils.data.compose import compose, fit_background
from utils.data.images import (
    check_same_size,
    list_images,
    read_alpha,
    read_image,
    read_trimap,
    require_unknown,
    write_image,
)
from utils.data.pairs import Foreground, foregrounds
from utils.data.trimap import UNKNOWN, draw_radius, reach, trimap_from_reach

log = logging.getLogger(__name__)

KINDS = ("image", "alpha", "trimap")


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
    if per_foreground < 1:
        raise InputError(f"{per_foreground} composites for each foreground: choose 1 or more")
    draw_radius(np.random.default_rng(0), *radius)  # complain now, not after half of the work
    if seed < 0:
        raise InputError(f"seed {seed}: choose 0 or more")
    if not backgrounds:
        raise InputError(f"{root}: no backgrounds to compose the test set over; add some")
    composed = root / "test" / "composed"
    plans = _plans(root, [Path(path) for path in backgrounds], per_foreground)
    _forget_others(root, plans, {"radius": list(radius), "seed": seed})
    due = [_without_whole(composed, plan) for plan in plans]
    jobs = [(composed, plan, radius, seed) for plan in due if plan.composites]
    total = sum(len(plan.composites) for plan in due)
    there = sum(len(plan.composites) for plan in plans) - total
    if there:
        log.info("%s: %d composites are there already, %d to make", composed, there, total)
    with tqdm(total=total, desc="composing", unit="image", disable=not total) as progress:
        for count in _run(jobs, workers):
            progress.update(count)
    return composed


class _Composite(NamedTuple):
    name: str
    background: Path
    trimap: Path | None


class _Plan(NamedTuple):
    foreground: Foreground
    composites: list[_Composite]


_Job = tuple[Path, _Plan, tuple[int, int], int]


def _plans(root: Path, backgrounds: list[Path], per_foreground: int) -> list[_Plan]:
    ours = foregrounds(root, "test")
    folder = root / "test" / "trimap"
    trimaps = list_images(folder) if folder.is_dir() else {}
    names = {one.name for one in ours}
    plans = []
    for i, one in enumerate(ours):
        composites = []
        for k in range(per_foreground):
            name = f"{one.name}_{k}"
            background = backgrounds[(i * per_foreground + k) % len(backgrounds)]
            # cat_1.png is the trimap of the foreground cat_1 if there is one, not of cat's second.
            own = trimaps.get(name) if name not in names else None
            composites.append(_Composite(name, background, own or trimaps.get(one.name)))
        plans.append(_Plan(one, composites))
    return plans


def _forget_others(root: Path, plans: list[_Plan], settings: dict) -> None:
    """Remove composites of other settings or of foregrounds that have gone; note the settings."""
    settings["composites"] = {
        one.name: [_place(one.background, root), one.trimap.name if one.trimap else None]
        for plan in plans
        for one in plan.composites
    }
    text = json.dumps(settings, indent=1)
    composed = root / "test" / "composed"
    file = composed / "settings.json"
    same = file.exists() and file.read_text(encoding="utf-8") == text
    for kind in KINDS:
        for path in (composed / kind).glob("*.png"):
            if not same or path.stem not in settings["composites"]:
                path.unlink()
    if not same:
        with atomic(file) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _place(path: Path, root: Path) -> str:
    """Where a file is, in words that stay true when the data set is moved as a whole."""
    path, root = path.resolve(), root.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _run(jobs: list[_Job], workers: int) -> Iterator[int]:
    """Do the jobs; yield the number of composites of each that is done."""
    if workers < 1 or not jobs:
        yield from map(_compose_foreground, jobs)
        return
    # Spawned, since a forked child may inherit a lock of OpenCV's or PyTorch's threads.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), context, initializer=cv2.setNumThreads, initargs=(1,)
    )
    try:
        for future in as_completed([pool.submit(_compose_foreground, job) for job in jobs]):
            yield future.result()
    except BrokenProcessPool:
        raise InputError(
            f"{jobs[0][0]}: a worker was killed, probably for want of memory; use fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _compose_foreground(job: _Job) -> int:
    composed, plan, radius, seed = job
    fg, alpha = read_image(plan.foreground.fg), read_alpha(plan.foreground.alpha)
    check_same_size(plan.foreground.fg, fg, plan.foreground.alpha, alpha)
    height, width = alpha.shape
    distance = reach(alpha) if any(one.trimap is None for one in plan.composites) else None
    brought: dict[Path, np.ndarray] = {}
    for one in plan.composites:
        if distance is None or one.trimap is not None:
            if one.trimap not in brought:
                brought[one.trimap] = _brought_trimap(one.trimap, plan.foreground, fg)
            trimap = brought[one.trimap]
        else:
            rng = np.random.default_rng((seed, crc32(one.name.encode())))
            drawn = draw_radius(rng, *radius)
            trimap = trimap_from_reach(alpha, distance, drawn)
            if not np.any(trimap == UNKNOWN):
                raise InputError(
                    f"{plan.foreground.alpha}: this matte has nothing unknown at radius {drawn}; "
                    "remove the foreground, or choose a larger radius"
                )
        background = fit_background(read_image(one.background), height, width)
        write_image(composed / "trimap" / f"{one.name}.png", trimap)
        write_image(composed / "alpha" / f"{one.name}.png", alpha)
        write_image(composed / "image" / f"{one.name}.png", compose(fg, alpha, background))
    return len(plan.composites)


def _brought_trimap(path: Path, foreground: Foreground, fg: np.ndarray) -> np.ndarray:
    trimap = read_trimap(path)
    check_same_size(path, trimap, foreground.fg, fg)
    require_unknown(path, trimap)
    return trimap


def _without_whole(composed: Path, plan: _Plan) -> _Plan:
    ours = plan.foreground
    return _Plan(ours, [one for one in plan.composites if not _is_whole(composed, ours, one)])


def _is_whole(composed: Path, foreground: Foreground, one: _Composite) -> bool:
    outputs = [composed / kind / f"{one.name}.png" for kind in KINDS]
    if not all(path.exists() for path in outputs):
        return False
    sources = [foreground.fg, foreground.alpha, one.background]
    sources += [one.trimap] if one.trimap else []
    oldest = min(path.stat().st_mtime_ns for path in outputs)
    return oldest >= max(path.stat().st_mtime_ns for path in sources)
