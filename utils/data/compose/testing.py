"""Compose a test set as Composition-1k is composed, with trimaps; can be resumed."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np

from models.errors import InputError
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.composites import Composition, compositions, read_pair
from utils.data.compose.manifest import pending
from utils.data.compose.photographic import painted_trimap, photograph
from utils.data.folders import Foreground
from utils.disk.lock import folder_lock
from utils.disk.room import MATTE, PHOTOGRAPH
from utils.images.names import by_owner, list_images
from utils.images.reading import check_same_size, read_image, read_trimap, require_unknown
from utils.images.trimap import draw_radius, make_trimap, require_agreement
from utils.images.trimap_values import UNKNOWN
from utils.images.writing import write_image

FOLDERS = ("image", "alpha", "trimap")


def compose_test_set(
    root: Path | str,
    backgrounds: Sequence[Path],
    per_foreground: int = 20,
    radius: tuple[int, int] = (1, 30),
    seed: int = 0,
    workers: int = 0,
    photographic: bool = False,
) -> Path:
    """Compose every test foreground of `root` over backgrounds.

    Composite k of a foreground is `root/test/composed/{image,alpha,trimap}/NAME_k.png`. Its trimap
    is `root/test/trimap/NAME_k.png` or `NAME.png` where the set brings one; else it is made with a
    radius that depends on the seed and on NAME_k alone. What is there and as it would be made stays
    (see `pending`).

    Args:
        backgrounds, per_foreground: as for `compositions`.
        radius: smallest and largest radius of the trimaps that are made, in pixels.
        workers: processes; 0 composes in this one.
        photographic: pictures by `photograph`, which shrinks them, and by `painted_trimap`; the
            set's own trimaps do not fit them.

    Returns:
        The folder `root/test/composed`.

    Raises:
        InputError: a picture cannot be used; a matte or a trimap is of another size than its
            foreground, has no unknown pixel, or contradicts it; a trimap is of none; as
            `compositions` and `pending`; another process composes this set.
    """
    root = Path(root)
    draw_radius(np.random.default_rng(0), *radius)  # complain now, not after half of the work
    if seed < 0:
        raise InputError(f"seed {seed}: choose 0 or more")
    planned = compositions(root, "test", backgrounds, per_foreground)
    trimaps = {} if photographic else _given_trimaps(root, planned)
    settings = {"radius": list(radius), "seed": seed}
    settings |= {"photographic": True} if photographic else {}
    composed = root / "test" / "composed"
    with folder_lock(composed, "composing the test set"):
        left = pending(
            composed / "settings.json",
            root,
            planned,
            [path for folder in FOLDERS for path in (composed / folder).glob("*.png")],
            settings,
            bytes_per_pixel=PHOTOGRAPH[".png"] + 2 * MATTE,
            trimaps=trimaps,
            copies=len(FOLDERS),
        )
        jobs = [_Job(composed, one, trimaps, radius, seed, photographic) for one in left]
        total = sum(len(one.composites) for one in left)
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
    photographic: bool


def _given_trimaps(root: Path, planned: list[Composition]) -> dict[str, Path]:
    """{NAME_k: the trimap that the set brings for it}."""
    folder = root / "test" / "trimap"
    if not folder.is_dir():
        return {}
    trimaps = by_owner(list_images(folder), [one.foreground.name for one in planned])
    given = {}
    for foreground, composites in planned:
        for k, one in enumerate(composites):
            own = trimaps.get((foreground.name, k)) or trimaps.get((foreground.name, None))
            if own:
                given[one.name] = own
    return given


def _compose_foreground(job: _Job) -> int:
    foreground, composites = job.composition
    fg, matte = read_pair(foreground)
    for name, path in composites:
        rng = np.random.default_rng((job.seed, crc32(name.encode())))
        background, alpha = read_image(path), matte
        if job.photographic:
            image, alpha = photograph(fg, alpha, background, rng)
        else:
            image = compose(fg, alpha, fit_background(background, *alpha.shape))
        if name in job.trimaps:
            trimap = _given_trimap(job.trimaps[name], foreground, alpha)
        else:
            radius = draw_radius(rng, *job.radius)
            paint = partial(painted_trimap, rng=rng) if job.photographic else make_trimap
            trimap = paint(alpha, radius)
            if not np.any(trimap == UNKNOWN):
                raise InputError(
                    f"{foreground.alpha}: this matte has nothing unknown at radius {radius}; "
                    "remove the foreground, or choose a larger radius"
                )
        for folder, picture in (("trimap", trimap), ("alpha", alpha), ("image", image)):
            write_image(job.composed / folder / f"{name}.png", picture)
    return len(composites)


def _given_trimap(path: Path, foreground: Foreground, alpha: np.ndarray) -> np.ndarray:
    trimap = read_trimap(path)
    check_same_size(path, trimap, foreground.fg, alpha)
    require_unknown(path, trimap)
    require_agreement(path, trimap, foreground.alpha, alpha)
    return trimap
