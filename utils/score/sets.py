"""The pictures that a test scores, and the folder that it writes into by default."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.errors import InputError
from utils.cli.problems import dataset_command, refuse
from utils.config.options import RESULT, Config
from utils.images.layouts import LAYOUTS, TRIMAP_KINDS, Layout, child, children, descend, folder_key
from utils.images.names import find_partners, list_images, no_folder
from utils.images.reading import (
    list_mattes,
    read_matte,
    read_trimap,
)
from utils.images.trimap import LARGEST_RADIUS, make_trimap

RADIUS = 20  # pixels, of trimaps that are made because a set has none


@dataclass(frozen=True)
class Picture:
    """The files of one test picture: `matte` where a saved one is scored; no `alpha`, no truth.

    Without `trimap`, that of the truth is made: unknown is all within `radius` of a change.
    """

    name: str
    image: Path | None
    alpha: Path | None
    trimap: Path | None
    matte: Path | None = None
    radius: int = RADIUS

    @property
    def outline(self) -> Path:
        """The file that its trimap comes from."""
        return self.trimap or self.alpha

    @property
    def files(self) -> list[Path]:
        """Those that there are."""
        return [file for file in (self.image, self.alpha, self.trimap, self.matte) if file]


Sets = dict[str, list[Picture]]  # by the name of their trimaps; "" where there is one kind alone


@dataclass(frozen=True)
class Folders:
    """The folders of a test set, as test.py is given them; with none, the config's own is meant.

    Args:
        image, alpha, trimap: without `alpha`, pictures have no truth.
        pred: saved mattes, in place of `image`.
        whole: a test set as it is distributed, in place of image, alpha and trimap.
        layout: of `whole`, one of `LAYOUTS`; None recognises it.
        radius: makes trimaps from the truth, in place of `trimap`.
        region: over "all" of the picture, saved mattes need no `trimap`.
    """

    image: Path | None = None
    alpha: Path | None = None
    trimap: Path | None = None
    pred: Path | None = None
    whole: Path | None = None
    layout: str | None = None
    radius: int | None = None
    region: str = "unknown"

    def check(self) -> None:
        """Raise an `InputError` where they do not go together."""
        named = self.image or self.alpha or self.trimap
        by_radius, rule = self.radius is not None, "--trimap-radius makes trimaps"
        trimap = self.trimap or by_radius or (self.region == "all" and self.pred)
        truth = self.alpha and trimap
        for wrong, words in (
            (self.whole and named, "--set has its own --image, --alpha and --trimap"),
            (self.layout and not self.whole, "--layout is that of a --set; name its folder"),
            (by_radius and self.trimap, f"{rule}; leave out --trimap"),
            (by_radius and not (self.whole or self.alpha), f"{rule} from the truth; give --alpha"),
            (
                by_radius and not 1 <= self.radius <= LARGEST_RADIUS,
                f"--trimap-radius {self.radius}: choose one from 1 to {LARGEST_RADIUS}",
            ),
            (
                not self.whole
                and (named or self.pred)
                and not ((self.pred and truth) or (self.image and (self.trimap or truth))),
                "--alpha and --trimap go with --image or --pred; give all three (--alpha may be "
                "left out where --image has no truth, --trimap with --trimap-radius)",
            ),
        ):
            if wrong:
                raise InputError(f"test.py: {words}")


def find_sets(config: Config, folders: Folders) -> Sets:
    """The test set that is named, or else the composed test set of the config."""
    folders.check()
    radius = folders.radius or RADIUS
    if folders.whole:
        sets = open_set(folders.whole, folders.layout, radius)
        first = next(iter(sets.values()))[0]
        if folders.radius and first.trimap:
            raise InputError(
                f"{first.trimap.parent}: the set has trimaps; leave out --trimap-radius"
            )
        return saved_in(sets, folders.pred) if folders.pred else sets
    if folders.pred or folders.image:
        options = {"radius": radius, "saved": folders.pred is not None}
        images = folders.pred or folders.image
        return {"": match(images, folders.alpha, folders.trimap, **options)}
    composed = config.data.folder / "test" / "composed"
    if not composed.is_dir():
        command = dataset_command("pre_process.py", config.data.folder)
        raise InputError(
            f"{composed}: no test set; compose it with {command}, or give --image, --alpha and "
            "--trimap"
        )
    return {"": match(*(composed / name for name in ("image", "alpha", "trimap")))}


def default_out(config: Config, folders: Folders, named: bool = False) -> Path:
    """`test` in the config's folder; on one's own pictures `test-SET` or `test-SET-TRIMAP` there.

    SET is the folder that holds the others, or that of the images where they lie elsewhere; TRIMAP
    that of the trimaps. Networks that the config has not trained (`named`) have result/test/SET.
    """
    whole, trimap = folders.whole, folders.trimap
    if not (folders.image or whole):
        return config.folder / "test"
    # Links keep their names.
    given = [
        Path(os.path.abspath(folder))  # noqa: PTH100
        for folder in (whole or folders.image, folders.alpha, trimap)
        if folder
    ]
    together = not whole and len({folder.parent for folder in given}) == 1
    name = (given[0].parent if together else given[0]).name
    if trimap:
        name += f"-{given[-1].name}"
    return RESULT / "test" / name if named else config.folder / f"test-{name}"


def open_set(folder: Path, layout: str | None = None, radius: int = RADIUS) -> Sets:
    """The pictures of a test set as it is distributed, `{trimaps: pictures}`.

    The key is "" where there is one folder of trimaps; else its name, `Trimap1` and so on, and
    each holds all pictures. Pictures without truth (the eight of alphamatting.com) have no `alpha`.
    """
    if not folder.is_dir():
        raise InputError(no_folder(folder, "check --set"))
    for name in (layout,) if layout else LAYOUTS:
        found = _alphamatting(folder) if name == "alphamatting" else _folders(folder, LAYOUTS[name])
        if found:
            images, alphas, trimaps = found
            shared = LAYOUTS[name].shared
            return {key: match(images, alphas, one, shared, radius) for key, one in trimaps.items()}
    tried = f"tried {', '.join(LAYOUTS)}"
    if layout:
        names = (getattr(LAYOUTS[layout], role) for role in ("image", "alpha", "trimap"))
        tried = "looked for " + ", ".join(" or ".join(filter(None, one)) for one in names)
    raise InputError(
        f"{folder}: holds the folders of no test set ({tried}); name them with --image, --alpha "
        "and --trimap"
    )


def _folders(folder: Path, layout: Layout) -> tuple[Path, Path, dict[str, Path | None]] | None:
    for place in layout.places:
        root = descend(folder, place)
        image, alpha, trimap = (
            children(root, layout.image, layout.alpha, layout.trimap) if root else (None,) * 3
        )
        if image and alpha and (trimap or layout.made):
            return image, alpha, {"": trimap}
    return None


def _alphamatting(folder: Path) -> tuple[Path, Path | None, dict[str, Path]] | None:
    layout = LAYOUTS["alphamatting"]
    images = child(folder, layout.image)
    for place in layout.trimap:
        root = descend(folder, place)
        kinds = children(root, *((kind,) for kind in TRIMAP_KINDS)) if root else ()
        trimaps = {k.capitalize(): p for k, p in zip(TRIMAP_KINDS, kinds, strict=False) if p}
        if images and trimaps:
            return images, child(folder, layout.alpha), trimaps
    return None


def saved_in(sets: Sets, mattes: Path) -> Sets:
    """The sets with saved mattes: of the folder itself, or of one in it for each kind of trimap."""
    saved = {}
    if not mattes.is_dir():
        raise InputError(no_folder(mattes, "check --pred"))
    for key, pictures in sets.items():
        own = pictures[0].image.parent
        if pictures[0].alpha is None:
            raise InputError(f"{own}: has no truth beside it to score against")
        place = child(mattes, (folder_key(key),)) if key else mattes
        if place is None:
            raise InputError(
                f"{mattes}: no folder {key} in it; the set has {len(sets)} kinds of trimaps, "
                "and each needs a folder of mattes of that name"
            )
        images = {picture.name: picture.image for picture in pictures}
        found = find_partners(images, list_mattes(place), place, own=own)
        saved[key] = [replace(picture, matte=found[picture.name]) for picture in pictures]
    return saved


def match(
    images: Path,
    alphas: Path | None,
    trimaps: Path | None,
    shared: bool = False,
    radius: int = RADIUS,
    saved: bool = False,
) -> list[Picture]:
    """The pictures of a folder with their mattes and trimaps, by name without suffix.

    Args:
        images: photographs, or with `saved` the mattes to score.
        alphas: None for pictures whose truth is not known.
        trimaps: None makes them from the truth, with this `radius`.
        shared: NAME_k, k = 0, 1 ..., takes the matte or trimap NAME where it has none of its own.
    """
    problems: list[str] = []
    files = (list_mattes if saved else list_images)(images, problems)

    def partners(folder: Path | None) -> dict[str, Path]:
        others = list_images(folder, problems) if folder else {}
        if not files or not others:  # of which an empty folder is a problem already
            return {}
        return find_partners(files, others, folder, problems, shared, own=images)

    truth, known = partners(alphas), partners(trimaps)
    refuse(problems)
    return [
        Picture(
            name,
            image=None if saved else path,
            alpha=truth.get(name),
            trimap=known.get(name),
            matte=path if saved else None,
            radius=radius,
        )
        for name, path in files.items()
    ]


def trimap_of(picture: Picture) -> np.ndarray:
    """Its trimap, read or made, uint8 (H, W) of 0, 128, 255."""
    if picture.trimap:
        return read_trimap(picture.trimap)
    return make_trimap(read_matte(picture.alpha), picture.radius)
