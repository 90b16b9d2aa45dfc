"""What a test is asked for: which pictures it scores, and where its results go."""

from pathlib import Path

from models.errors import InputError
from utils.cli.advice import command
from utils.config.options import RESULT, Config
from utils.score.folders import check_folders
from utils.score.pictures import RADIUS, Picture, match, match_saved
from utils.score.sets import open_set, saved_in

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
        whole: a test set as it comes, in place of the three folders.
        layout: of `whole`; None recognises it.
        radius: makes trimaps from the truth, in place of `trimap`.
        region: over "all" of the picture, saved mattes need no `trimap`.

    Raises:
        InputError: folders that do not go together, or cannot be used; no composed test set.
    """
    check_folders(image, alpha, trimap, pred, whole, layout, radius, region)
    made = RADIUS if radius is None else radius
    if whole:
        sets = open_set(whole, layout, made)
        if radius is not None:
            first = next(iter(sets.values()))[0]
            if first.trimap:
                raise InputError(
                    f"{first.trimap.parent}: the set has trimaps; leave out --trimap-radius"
                )
        return saved_in(sets, pred) if pred else sets
    if pred:
        return {"": match_saved(pred, alpha, trimap, made)}
    if image:
        return {"": match(image, alpha, trimap, radius=made)}
    composed = config.data.folder / "test" / "composed"
    if not composed.is_dir():
        raise InputError(f"{composed}: no test set; {_how_to_compose(config)}")
    return {"": match(*(composed / name for name in ("image", "alpha", "trimap")))}


def default_out(
    config: Config,
    image: Path | None = None,
    alpha: Path | None = None,
    trimap: Path | None = None,
    whole: Path | None = None,
    named: bool = False,
) -> Path:
    """`test` in the config's folder, or what the networks and the pictures are called.

    That is `test-SET` there for the config's networks on other pictures, and result/test/SET for
    other networks on them: sheets and scores of one set do not stand in the place of another's.

    Args:
        image, alpha, trimap, whole: as `find_sets`.
        named: the networks are not those that the config has trained.
    """
    if not (image or whole):
        return config.folder / "test"
    folders = [folder.resolve() for folder in (whole or image, alpha, trimap) if folder]
    together = not whole and len({folder.parent for folder in folders}) == 1
    name = (folders[0].parent if together else folders[0]).name
    return RESULT / "test" / name if named else config.folder / f"test-{name}"


def _how_to_compose(config: Config) -> str:
    data = config.data
    source = data.folder / "test" / "fg"
    missing = data.dataset != SAMPLE and not source.is_dir()
    first = f" once foregrounds are in {source} (see data/README.md)" if missing else ""
    return (
        f"compose it with {command('pre_process.py', data.folder)}{first}, or give "
        "--image, --alpha and --trimap"
    )
