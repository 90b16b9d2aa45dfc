"""Compose foregrounds over backgrounds into a folder, as Composition-1k does; can be resumed."""

import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.files import folder_lock, record
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.compose.arithmetic import compose, fit_background
from utils.data.compose.photographic import painted_trimap, photograph
from utils.data.folders import Foreground, Part, foregrounds
from utils.images.names import by_owner, composite_names, list_images, pictures_in
from utils.images.reading import (
    check_same_size,
    read_alpha,
    read_image,
    read_trimap,
    require_unknown,
)
from utils.images.trimap import UNKNOWN, draw_radius, make_trimap, require_agreement
from utils.images.writing import write_image

log = logging.getLogger(__name__)

KINDS = ("trimap", "alpha", "image")  # of a test composite
NOTES = "settings.json"  # what composites are made of and how
BATCH = 20  # composites of one job, so that a set of few foregrounds keeps many workers busy


class Composite(NamedTuple):
    """A composite: its name, NAME_k, and what it is made of."""

    name: str
    foreground: Foreground
    background: Path
    trimap: Path | None = None  # that the set brings

    @property
    def files(self) -> list[Path]:
        files = (self.foreground.fg, self.foreground.alpha, self.background, self.trimap)
        return [path for path in files if path]


class _Settings(NamedTuple):
    """What composites are, other than training ones also their mattes and trimaps."""

    folder: Path
    suffix: str = ".png"
    radius: tuple[int, int] | None = None  # None: of training composites, which have no trimap
    seed: int = 0
    photographic: bool = False

    def noted(self) -> dict:
        """What is noted of them beside their sources."""
        if self.radius is None:
            return {"suffix": self.suffix}
        photographic = {"photographic": True} if self.photographic else {}
        return {"radius": list(self.radius), "seed": self.seed, **photographic}

    def target(self, name: str, kind: str = "image") -> Path:
        place = self.folder if self.radius is None else self.folder / kind
        return place / f"{name}{self.suffix}"


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
    radius that depends on the seed and on NAME_k alone.

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
            `compositions`; a file that was not made here is in the way; another process composes.
    """
    root = Path(root)
    draw_radius(np.random.default_rng(0), *radius)  # complain now, not after half of the work
    if seed < 0:
        raise InputError(f"seed {seed}: choose 0 or more")
    planned = compositions(root, "test", backgrounds, per_foreground)
    folder = root / "test" / "trimap"
    if folder.is_dir() and not photographic:
        given = by_owner(list_images(folder), {one.foreground.name for one in planned})
        for place, one in enumerate(planned):
            name, k = one.foreground.name, place % per_foreground
            trimap = given.get((name, k)) or given.get((name, None))
            planned[place] = one._replace(trimap=trimap)
    settings = _Settings(root / "test" / "composed", ".png", radius, seed, photographic)
    return _compose(root, planned, settings, workers)


def compose_training_set(
    root: Path | str,
    backgrounds: Sequence[Path],
    per_foreground: int = 100,
    suffix: str = ".png",
    workers: int = 0,
) -> Path:
    """Compose every training foreground of `root` over backgrounds, as the published code does.

    Composite k of a foreground is `root/train/merged/NAME_k.png`; its matte is the foreground's,
    which is never resized.

    Args:
        backgrounds, per_foreground: as for `compositions`.
        suffix: ".png", or ".jpg" to save space at the price of artefacts.
        workers: processes; 0 composes in this one.

    Returns:
        The folder `root/train/merged`.

    Raises:
        InputError: a picture cannot be used; as `compositions`; a file that was not made here is in
            the way; another process composes.
    """
    root = Path(root)
    planned = compositions(root, "train", backgrounds, per_foreground)
    return _compose(root, planned, _Settings(root / "train" / "merged", suffix), workers)


def compositions(
    root: Path | str, part: Part, backgrounds: Sequence[Path], per_foreground: int
) -> list[Composite]:
    """Foreground i of a part over the backgrounds i n to i n + n - 1, as Composition-1k does it.

    The backgrounds begin again when they run out.

    Args:
        backgrounds: paths in order, at least one.
        per_foreground: n.

    Raises:
        InputError: as `foregrounds`; n is less than 1.
    """
    named = (
        (name, one)
        for one in foregrounds(root, part)
        for name in composite_names(one.name, per_foreground)
    )
    return [
        Composite(name, one, Path(backgrounds[place % len(backgrounds)]))
        for place, (name, one) in enumerate(named)
    ]


def _compose(root: Path, planned: Sequence[Composite], settings: _Settings, workers: int) -> Path:
    """Make those of the `planned` composites that are not there as they would be made now.

    Pictures that belong to no composite, or were made otherwise or of other files, are removed.

    Args:
        root: the data set; files in it are noted by where they are in it, so that it can be moved.
    """
    folder = settings.folder
    with folder_lock(folder, "composing"):
        notes = {
            **settings.noted(),
            "composites": {one.name: _sources(root, one) for one in planned},
        }
        current = _remove_outdated(folder, notes)
        jobs: list[list[Composite]] = []
        for one in planned:
            made = (settings.target(one.name, kind).exists() for kind in KINDS)
            if one.name in current and all(made):
                continue
            if not jobs or jobs[-1][0].foreground != one.foreground or len(jobs[-1]) == BATCH:
                jobs.append([])
            jobs[-1].append(one)
        with atomic(folder / NOTES) as temporary:  # before the first, for an interruption
            temporary.write_text(json.dumps(notes, indent=1), encoding="utf-8")
        total = sum(map(len, jobs))
        if total:
            there = len(planned) - total
            log.info("%s: %d composites to make, %d are there already", folder, total, there)
        with progress_bar(total=total, desc="composing", unit="image", disable=not total) as bar:
            for count in run(partial(_compose_some, settings), jobs, workers, folder):
                bar.update(count)
    return folder


def _sources(root: Path, one: Composite) -> list[str]:
    """The files that a composite is made of, each with its record; those of the set by place."""
    places = [
        path.relative_to(root) if path.is_relative_to(root) else path.resolve()
        for path in one.files
    ]
    return [f"{place.parent} {record(path)}" for place, path in zip(places, one.files, strict=True)]


def _remove_outdated(folder: Path, notes: dict) -> set[str]:
    """Remove what was made otherwise than it would be now; the names of the composites that stay.

    Raises:
        InputError: a picture that was not made here is there.
    """
    try:
        before = json.loads((folder / NOTES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # or damaged
        before = {"composites": {}}
    old, new = before.pop("composites", {}), notes["composites"]
    settings = {key: value for key, value in notes.items() if key != "composites"}
    current = {n for n in new if old.get(n) == new[n]} if before == settings else set()
    there = [
        path
        for place in (folder, *(one for one in folder.iterdir() if one.is_dir()))
        for path in pictures_in(place)
    ]
    for path in there:
        if path.stem not in old:
            raise InputError(f"{path}: was not made here; move it to another folder")
    for path in there:
        if path.stem not in current:
            path.unlink()
    return current


def _compose_some(settings: _Settings, composites: list[Composite]) -> int:
    """Compose a few over one foreground."""
    foreground = composites[0].foreground
    fg, alpha = read_image(foreground.fg), read_alpha(foreground.alpha)
    check_same_size(foreground.fg, fg, foreground.alpha, alpha)
    for one in composites:
        _write(settings, one, fg, alpha)
    return len(composites)


def _write(settings: _Settings, one: Composite, fg: np.ndarray, alpha: np.ndarray) -> None:
    background = read_image(one.background)
    rng = np.random.default_rng((settings.seed, crc32(one.name.encode())))
    if settings.photographic:
        image, alpha = photograph(fg, alpha, background, rng)
    else:
        image = compose(fg, alpha, fit_background(background, *alpha.shape))
    if settings.radius is None:
        write_image(settings.target(one.name), image)
        return
    if one.trimap:
        trimap = read_trimap(one.trimap)
        check_same_size(one.trimap, trimap, one.foreground.fg, alpha)
        require_unknown(one.trimap, trimap)
        require_agreement(one.trimap, trimap, one.foreground.alpha, alpha)
    else:
        width = draw_radius(rng, *settings.radius)
        painted = settings.photographic
        trimap = painted_trimap(alpha, width, rng) if painted else make_trimap(alpha, width)
        if not np.any(trimap == UNKNOWN):
            raise InputError(
                f"{one.foreground.alpha}: this matte has nothing unknown at radius {width}; "
                "remove the foreground, or choose a larger radius"
            )
    for kind, picture in zip(KINDS, (trimap, alpha, image), strict=True):
        write_image(settings.target(one.name, kind), picture)
