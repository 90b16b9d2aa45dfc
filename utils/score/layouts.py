"""Test sets by their folders: Composition-1k, Distinctions-646, alphamatting.com, AIM-500."""

from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError
from utils.data.importers.names import folder_key
from utils.score.pictures import Picture, match, with_mattes

TRIMAP_KINDS = ("trimap1", "trimap2", "trimap3")  # alphamatting.com: narrow, wide, drawn by hand


@dataclass(frozen=True)
class Layout:
    """What the folders of a test set are called, in any case; the first that is there is taken."""

    places: tuple[str, ...]  # where in the set they may lie
    image: tuple[str, ...]
    alpha: tuple[str, ...]
    trimap: tuple[str, ...]
    shared: bool = False  # mattes and trimaps may be one for all composites of a foreground


COMPOSED = "test/composed"
# In the order in which they are tried.
LAYOUTS = {
    "alphamatting": Layout(
        ("",),
        ("input", "input_lowres", "input_training_lowres"),
        ("gt", "gt_lowres", "gt_training_lowres"),
        ("", "trimap", "trimap_lowres", "trimap_training_lowres"),  # these hold trimap1..3
    ),
    "aim": Layout(("",), ("original",), ("mask",), ("trimap",)),
    "composition-1k": Layout(
        ("", "combined_dataset/test_set", "test_set", COMPOSED),
        ("merged", "image"),
        ("alpha_copy", "alpha"),
        ("trimaps", "trimap"),
        shared=True,
    ),
    "distinctions-646": Layout(
        ("", "test", COMPOSED),
        ("merged", "image", "images"),
        ("gt", "alpha"),
        ("trimap", "trimaps"),
        shared=True,
    ),
    "own": Layout(("", COMPOSED), ("image",), ("alpha",), ("trimap",)),
}


def open_set(folder: Path, layout: str | None = None) -> dict[str, list[Picture]]:
    """The pictures of a test set, `{trimaps: pictures}`.

    The key is "" where there is one folder of trimaps; else its name, `Trimap1` and so on, and
    each holds all pictures. Pictures without truth (the eight of alphamatting.com) have no `alpha`.

    Args:
        layout: one of `LAYOUTS`; None recognises it.

    Raises:
        InputError: no layout fits, or files are missing.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check --set")
    for name in (layout,) if layout else LAYOUTS:
        found = _alphamatting(folder) if name == "alphamatting" else _folders(folder, LAYOUTS[name])
        if found:
            images, alphas, trimaps = found
            shared = LAYOUTS[name].shared
            return {key: match(images, alphas, path, shared) for key, path in trimaps.items()}
    wanted = _told(LAYOUTS[layout]) if layout else f"tried {', '.join(LAYOUTS)}"
    raise InputError(
        f"{folder}: holds the folders of no test set ({wanted}); name them with --image, --alpha "
        "and --trimap, or compose the set with pre_process.py first"
    )


def saved_in(sets: dict[str, list[Picture]], mattes: Path) -> dict[str, list[Picture]]:
    """The sets with saved mattes: of the folder itself, or of one in it for each kind of trimap.

    Raises:
        InputError: a folder or a matte is missing, or the set has no truth to score against.
    """
    saved = {}
    for key, pictures in sets.items():
        if pictures[0].alpha is None:
            raise InputError(f"{pictures[0].image.parent}: has no truth beside it to score against")
        place = _child(mattes, (folder_key(key),)) if key else mattes
        if place is None:
            raise InputError(
                f"{mattes}: no folder {key} in it; the set has {len(sets)} kinds of trimaps, "
                "and each needs a folder of mattes of that name"
            )
        saved[key] = with_mattes(pictures, place)
    return saved


def _folders(folder: Path, layout: Layout) -> tuple[Path, Path, dict[str, Path]] | None:
    for place in layout.places:
        root = _descend(folder, place)
        parts = [
            root and _child(root, part) for part in (layout.image, layout.alpha, layout.trimap)
        ]
        if all(parts):
            return parts[0], parts[1], {"": parts[2]}
    return None


def _alphamatting(folder: Path) -> tuple[Path, Path | None, dict[str, Path]] | None:
    layout = LAYOUTS["alphamatting"]
    images = _child(folder, layout.image)
    for place in layout.trimap:
        root = _descend(folder, place)
        kinds = [root and _child(root, (kind,)) for kind in TRIMAP_KINDS]
        trimaps = {k.capitalize(): p for k, p in zip(TRIMAP_KINDS, kinds, strict=True) if p}
        if images and trimaps:
            return images, _child(folder, layout.alpha), trimaps
    return None


def _descend(folder: Path, place: str) -> Path | None:
    for name in filter(None, place.split("/")):
        found = _child(folder, (name,))
        if found is None:
            return None
        folder = found
    return folder


def _child(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first of the names that is a folder in this one, in any case."""
    children = {folder_key(path.name): path for path in sorted(folder.iterdir()) if path.is_dir()}
    return next((children[name] for name in names if name in children), None)


def _told(layout: Layout) -> str:
    parts = (layout.image, layout.alpha, layout.trimap)
    return "looked for " + ", ".join(" or ".join(filter(None, names)) for names in parts)
