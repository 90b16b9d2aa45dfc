"""The data set on disk: data/NAME/{train,test}/{fg,alpha,bg}, foregrounds and their mattes."""

from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from models.errors import InputError
from utils.cli.problems import complain, dataset_command
from utils.images.names import find_partners, follow, list_images, read_names

Part = Literal["train", "test"]
LAYOUT = "put colours into {part}/fg, mattes into {part}/alpha, photographs into {part}/bg"


class Foreground(NamedTuple):
    """A foreground: its name, its colours and its matte."""

    name: str
    fg: Path
    alpha: Path


def parts(root: Path | str) -> list[Part]:
    """The parts that a data set has: it may be for training or for testing alone.

    Raises:
        InputError: it has neither.
    """
    present = [part for part in get_args(Part) if (Path(root) / part).is_dir()]
    if not present:
        layout = LAYOUT.format(part="train")
        importing = dataset_command("pre_process.py", root, "--kind", "KIND", "--from", "SOURCE")
        raise InputError(
            f"{root}: neither train nor test is in it; {layout}, or import a data set with "
            f"{importing} (see data/README.md)"
        )
    return present


def foregrounds(
    root: Path | str, part: Part, problems: list[str] | None = None
) -> list[Foreground]:
    """The foregrounds of a part: `root/part/fg` and `root/part/alpha`, matched by name.

    In the order of `root/part/{part}_fg_names.txt` where it exists (Composition-1k brings one for
    its test set), else by name.

    Args:
        problems: where to put all that is wrong, instead of raising the first of it; the
            foregrounds without a matte are then left out.

    Raises:
        InputError: a folder is missing or empty; a foreground has no matte, or a matte no
            foreground.
    """
    folder = Path(root) / part
    if not folder.is_dir():
        layout = LAYOUT.format(part=part)
        complain(f"{folder}: no such folder; {layout} of {root} (see data/README.md)", problems)
        return []
    colours, mattes = (list_images(folder / kind, problems) for kind in ("fg", "alpha"))
    alphas = find_partners(colours, mattes, folder / "alpha", problems, own=folder / "fg")
    file = folder / f"{part}_fg_names.txt"
    names = _listed(file, colours, folder / "fg", problems)
    twice = [name for name, count in Counter(names).items() if count > 1]
    complain([f"{file}: lists {name} twice; remove one of the lines" for name in twice], problems)
    return [Foreground(name, colours[name], alphas[name]) for name in names if name in alphas]


def backgrounds(
    root: Path | str,
    part: Part,
    folder: Path | str | None = None,
    problems: list[str] | None = None,
) -> list[Path]:
    """The backgrounds of a part: the pictures of `folder`, or of `root/part/bg` where it is None.

    In the order of `root/part/{part}_bg_names.txt` where it exists, else by name; a list of which
    `folder` has not one picture is of other photographs and left aside.

    Args:
        problems: where to put all that is wrong, instead of raising the first of it.

    Raises:
        InputError: the folder is missing or empty, or a listed picture is not in it.
    """
    own = Path(root) / part / "bg"
    folder = own if folder is None else Path(folder)
    images = list_images(folder, problems)
    missing: list[str] = []
    names = _listed(own.with_name(f"{part}_bg_names.txt"), images, folder, missing)
    if not names and folder != own:
        return list(images.values())
    complain(missing, problems)
    return [images[name] for name in names]


def _listed(
    path: Path, images: dict[str, Path], folder: Path, problems: list[str] | None
) -> list[str]:
    """The names of `images` in the order of the list at `path`; all, by name, without a list."""
    if not path.exists() or not images:
        return list(images)
    order, unknown = follow(read_names(path, problems), images)
    wrong = [f"{path}: lists {line}, which is not in {folder}; add it there" for line in unknown]
    complain(wrong, problems)
    return order
