"""What a test is asked for: which pictures it scores, and where its results go."""

from pathlib import Path

from models.errors import InputError
from utils.data.commands import command
from utils.options import RESULT, Config
from utils.score.pictures import Picture, match, match_saved
from utils.score.sets import open_set, saved_in

Sets = dict[str, list[Picture]]  # by the name of their trimaps; "" where there is one kind alone


def find_sets(
    config: Config,
    image: Path | None = None,
    alpha: Path | None = None,
    trimap: Path | None = None,
    pred: Path | None = None,
    whole: Path | None = None,
    layout: str | None = None,
) -> Sets:
    """The test set that is named, or else the composed test set of the config.

    Args:
        image, alpha, trimap: folders of a test set.
        pred: saved mattes, in place of `image`.
        whole: a test set as it comes, in place of the three folders.
        layout: of `whole`; None recognises it.

    Raises:
        InputError: folders that do not go together, or cannot be used; no composed test set.
    """
    if whole:
        if image or alpha or trimap:
            raise InputError("test.py: --set has its own --image, --alpha and --trimap")
        sets = open_set(whole, layout)
        return saved_in(sets, pred) if pred else sets
    if layout:
        raise InputError("test.py: --layout is that of a --set; name its folder")
    folders = (pred or image, alpha, trimap)
    if all(folders):
        return {"": match_saved(*folders) if pred else match(*folders)}
    if any(folders):
        raise InputError("test.py: --alpha and --trimap go with --image or --pred; give all three")
    composed = config.data.folder / "test" / "composed"
    if not composed.is_dir():
        cure = command("pre_process.py", config.data.folder)
        raise InputError(
            f"{composed}: no test set; compose it with {cure}, "
            "or give --image, --alpha and --trimap"
        )
    return {"": match(*(composed / name for name in ("image", "alpha", "trimap")))}


def default_out(
    config: Config,
    image: Path | None = None,
    alpha: Path | None = None,
    trimap: Path | None = None,
    whole: Path | None = None,
    named: bool = False,
) -> Path:
    """The config's folder, unless neither the networks nor the pictures are the config's.

    Args:
        image, alpha, trimap, whole: as `find_sets`.
        named: the networks are not those that the config has trained.
    """
    if named and whole:
        return RESULT / "test" / whole.resolve().name
    if not (named and image):
        return config.folder / "test"
    folders = [folder.resolve() for folder in (image, alpha, trimap)]
    together = len({folder.parent for folder in folders}) == 1
    return RESULT / "test" / (folders[0].parent if together else folders[0]).name
