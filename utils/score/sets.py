"""Which pictures a test scores, and the folder that it writes into by default."""

import os
from pathlib import Path

from models.errors import InputError
from utils.cli.advice import dataset_command
from utils.config.options import RESULT, Config
from utils.images.layouts import LAYOUTS, TRIMAP_KINDS, Layout, child, children, descend, folder_key
from utils.images.names import no_folder
from utils.images.trimap_values import LARGEST_RADIUS
from utils.score.pictures import RADIUS, Picture, match, with_mattes

SAMPLE = "sample"  # the data set that pre_process.py renders
Sets = dict[str, list[Picture]]  # by the name of their trimaps; "" where there is one kind alone


def find_sets(
    config: Config,
    image: Path | None = None,
    alpha: Path | None = None,
    trimap: Path | None = None,
    pred: Path | None = None,
    whole: Path | None = None,
    layout: str | None = None,
    radius: int | None = None,
    region: str = "unknown",
) -> Sets:
    """The test set that is named, or else the composed test set of the config.

    Args:
        image, alpha, trimap: folders of a test set; without `alpha`, pictures without truth.
        pred: saved mattes, in place of `image`.
        whole: a test set as it is distributed, in place of the three folders.
        layout: of `whole`; None recognises it.
        radius: makes trimaps from the truth, in place of `trimap`.
        region: over "all" of the picture, saved mattes need no `trimap`.

    Raises:
        InputError: folders that do not go together, or cannot be used; no composed test set.
    """
    _check_folders(image, alpha, trimap, pred, whole, layout, radius, region)
    made = RADIUS if radius is None else radius
    if whole:
        sets = open_set(whole, layout, made)
        first = next(iter(sets.values()))[0]
        if radius is not None and first.trimap:
            raise InputError(
                f"{first.trimap.parent}: the set has trimaps; leave out --trimap-radius"
            )
        return saved_in(sets, pred) if pred else sets
    if pred or image:
        return {"": match(pred or image, alpha, trimap, radius=made, saved=pred is not None)}
    composed = config.data.folder / "test" / "composed"
    if not composed.is_dir():
        raise InputError(f"{composed}: no test set; {_how_to_compose(config)}")
    return {"": match(*(composed / name for name in ("image", "alpha", "trimap")))}


def _check_folders(
    image: Path | None,
    alpha: Path | None,
    trimap: Path | None,
    pred: Path | None,
    whole: Path | None,
    layout: str | None,
    radius: int | None,
    region: str,
) -> None:
    """Raise an `InputError` where arguments of `find_sets` do not go together."""
    if whole and (image or alpha or trimap):
        raise InputError("test.py: --set has its own --image, --alpha and --trimap")
    if layout and not whole:
        raise InputError("test.py: --layout is that of a --set; name its folder")
    if radius is not None:
        if not 1 <= radius <= LARGEST_RADIUS:
            raise InputError(f"--trimap-radius {radius}: choose one from 1 to {LARGEST_RADIUS}")
        if trimap:
            raise InputError("test.py: --trimap-radius makes trimaps; leave out --trimap")
        if not (whole or alpha):
            raise InputError("test.py: --trimap-radius makes trimaps from the truth; give --alpha")
    if whole or not (image or alpha or trimap or pred):
        return
    made = radius is not None or (region == "all" and pred is not None)
    if not ((pred and alpha and (trimap or made)) or (image and (trimap or (alpha and made)))):
        raise InputError(
            "test.py: --alpha and --trimap go with --image or --pred; give all three (--alpha may "
            "be left out where --image has no truth, --trimap with --trimap-radius)"
        )


def _how_to_compose(config: Config) -> str:
    data = config.data
    source = data.folder / "test" / "fg"
    missing = data.dataset != SAMPLE and not source.is_dir()
    first = f" once foregrounds are in {source} (see data/README.md)" if missing else ""
    return (
        f"compose it with {dataset_command('pre_process.py', data.folder)}{first}, or give "
        "--image, --alpha and --trimap"
    )


def default_out(
    config: Config,
    image: Path | None = None,
    alpha: Path | None = None,
    trimap: Path | None = None,
    whole: Path | None = None,
    named: bool = False,
) -> Path:
    """`test` in the config's folder; on one's own pictures `test-SET` or `test-SET-TRIMAP` there.

    SET is the folder that holds the others, or that of the images where they lie elsewhere; TRIMAP
    that of the trimaps. Networks that the config has not trained (`named`) have result/test/SET.
    """
    if not (image or whole):
        return config.folder / "test"
    # Links keep their names.
    folders = [
        Path(os.path.abspath(folder))  # noqa: PTH100
        for folder in (whole or image, alpha, trimap)
        if folder
    ]
    together = not whole and len({folder.parent for folder in folders}) == 1
    name = (folders[0].parent if together else folders[0]).name
    if trimap:
        name += f"-{folders[-1].name}"
    return RESULT / "test" / name if named else config.folder / f"test-{name}"


def open_set(
    folder: Path, layout: str | None = None, radius: int = RADIUS
) -> dict[str, list[Picture]]:
    """The pictures of a test set as it is distributed, `{trimaps: pictures}`.

    The key is "" where there is one folder of trimaps; else its name, `Trimap1` and so on, and
    each holds all pictures. Pictures without truth (the eight of alphamatting.com) have no `alpha`.

    Args:
        layout: one of `LAYOUTS`; None recognises it.
        radius: of the trimaps that are made where a set has none.

    Raises:
        InputError: no layout fits, or files are missing.
    """
    if not folder.is_dir():
        raise InputError(no_folder(folder, "check --set"))
    for name in (layout,) if layout else LAYOUTS:
        found = _alphamatting(folder) if name == "alphamatting" else _folders(folder, LAYOUTS[name])
        if found:
            images, alphas, trimaps = found
            shared = LAYOUTS[name].shared
            return {
                key: match(images, alphas, path, shared, radius) for key, path in trimaps.items()
            }
    tried = _folder_names(LAYOUTS[layout]) if layout else f"tried {', '.join(LAYOUTS)}"
    ours = (folder / "test" / "fg").is_dir()
    compose = (
        f", or compose the set with {dataset_command('pre_process.py', folder)}" if ours else ""
    )
    raise InputError(
        f"{folder}: holds the folders of no test set ({tried}); name them with --image, --alpha "
        f"and --trimap{compose}"
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
        kinds = [root and child(root, (kind,)) for kind in TRIMAP_KINDS]
        trimaps = {k.capitalize(): p for k, p in zip(TRIMAP_KINDS, kinds, strict=True) if p}
        if images and trimaps:
            return images, child(folder, layout.alpha), trimaps
    return None


def _folder_names(layout: Layout) -> str:
    parts = (layout.image, layout.alpha, layout.trimap)
    return "looked for " + ", ".join(" or ".join(filter(None, names)) for names in parts)


def saved_in(sets: dict[str, list[Picture]], mattes: Path) -> dict[str, list[Picture]]:
    """The sets with saved mattes: of the folder itself, or of one in it for each kind of trimap.

    Raises:
        InputError: a folder or a matte is missing, or the set has no truth to score against.
    """
    saved = {}
    if not mattes.is_dir():
        raise InputError(no_folder(mattes, "check --pred"))
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
