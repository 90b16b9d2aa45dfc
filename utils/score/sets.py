"""Test sets by their folders: Composition-1k, alphamatting.com, AIM-500, P3M-500 and others."""

from pathlib import Path

from models.errors import InputError
from utils.cli.advice import command
from utils.images.layouts import LAYOUTS, TRIMAP_KINDS, Layout, child, children, descend, folder_key
from utils.score.pictures import RADIUS, Picture, match, with_mattes


def open_set(
    folder: Path, layout: str | None = None, radius: int = RADIUS
) -> dict[str, list[Picture]]:
    """The pictures of a test set, `{trimaps: pictures}`.

    The key is "" where there is one folder of trimaps; else its name, `Trimap1` and so on, and
    each holds all pictures. Pictures without truth (the eight of alphamatting.com) have no `alpha`.

    Args:
        layout: one of `LAYOUTS`; None recognises it.
        radius: of the trimaps that are made where a set has none.

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
            return {
                key: match(images, alphas, path, shared, radius) for key, path in trimaps.items()
            }
    wanted = _told(LAYOUTS[layout]) if layout else f"tried {', '.join(LAYOUTS)}"
    ours = (folder / "test" / "fg").is_dir()
    how = f", or compose the set with {command('pre_process.py', folder)}" if ours else ""
    raise InputError(
        f"{folder}: holds the folders of no test set ({wanted}); name them with --image, --alpha "
        f"and --trimap{how}"
    )


def saved_in(sets: dict[str, list[Picture]], mattes: Path) -> dict[str, list[Picture]]:
    """The sets with saved mattes: of the folder itself, or of one in it for each kind of trimap.

    Raises:
        InputError: a folder or a matte is missing, or the set has no truth to score against.
    """
    saved = {}
    if not mattes.is_dir():
        raise InputError(f"{mattes}: no such folder; check --pred")
    for key, pictures in sets.items():
        if pictures[0].alpha is None:
            raise InputError(f"{pictures[0].image.parent}: has no truth beside it to score against")
        place = child(mattes, (folder_key(key),)) if key else mattes
        if place is None:
            raise InputError(
                f"{mattes}: no folder {key} in it; the set has {len(sets)} kinds of trimaps, "
                "and each needs a folder of mattes of that name"
            )
        saved[key] = with_mattes(pictures, place)
    return saved


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
        kinds = [root and child(root, (kind,)) for kind in TRIMAP_KINDS]
        trimaps = {k.capitalize(): p for k, p in zip(TRIMAP_KINDS, kinds, strict=True) if p}
        if images and trimaps:
            return images, child(folder, layout.alpha), trimaps
    return None


def _told(layout: Layout) -> str:
    parts = (layout.image, layout.alpha, layout.trimap)
    return "looked for " + ", ".join(" or ".join(filter(None, names)) for names in parts)
