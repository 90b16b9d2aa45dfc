"""The data set on disk: data/NAME/{train,test}/{fg,alpha,bg}, foregrounds and their mattes."""

from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

from utils.images.files import complain, list_images

Part = Literal["train", "test"]
LAYOUT = "put colours into {part}/fg, mattes into {part}/alpha, photographs into {part}/bg"


class Foreground(NamedTuple):
    """A foreground: its name, its colours and its matte."""

    name: str
    fg: Path
    alpha: Path


def foregrounds(
    root: Path | str, part: Part, problems: list[str] | None = None
) -> list[Foreground]:
    """The foregrounds of a part: `root/part/fg` and `root/part/alpha`, matched by file stem.

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
        complain(
            f"{folder}: no such folder; {LAYOUT.format(part=part)} of {root} (see data/README.md)",
            problems,
        )
        return []
    colours = list_images(folder / "fg", problems)
    mattes = list_images(folder / "alpha", problems)
    _check_partners(colours, mattes, folder / "alpha", problems)
    _check_partners(mattes, colours, folder / "fg", problems)
    file = folder / f"{part}_fg_names.txt"
    names = _listed(file, colours, folder / "fg", problems)
    for name, count in Counter(names).items():
        if count > 1:
            complain(f"{file}: lists {name} twice; remove one of the lines", problems)
    return [Foreground(name, colours[name], mattes[name]) for name in names if name in mattes]


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
    for problem in missing:
        complain(problem, problems)
    return [images[name] for name in names]


def read_names(path: Path, problems: list[str] | None = None) -> list[str]:
    """The names in a text file, one to a line; blank lines are passed over.

    Args:
        problems: where to put what is wrong, instead of raising it.

    Raises:
        InputError: the file cannot be read as text, or holds no name.
    """
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        complain(f"{path}: cannot be read as a list of names ({error})", problems)
        return []
    names = [name for name in names if name]
    if not names:
        complain(f"{path}: holds no names; write one to a line, or remove the file", problems)
    return names


def _listed(
    path: Path, images: dict[str, Path], folder: Path, problems: list[str] | None
) -> list[str]:
    """The stems of `images` in the order of the list at `path`; all, by name, without a list."""
    if not path.exists() or not images:
        return list(images)
    files = {image.name: stem for stem, image in images.items()}
    order = []
    for name in read_names(path, problems):
        # With or without suffix, and a suffix may have changed (a matte saved again as PNG).
        stem = files.get(name) or next((s for s in (name, Path(name).stem) if s in images), None)
        if stem is None:
            complain(f"{path}: lists {name}, which is not in {folder}; add it there", problems)
        else:
            order.append(stem)
    return order


def _check_partners(
    images: dict[str, Path],
    partners: dict[str, Path],
    folder: Path,
    problems: list[str] | None,
) -> None:
    lonely = [path for name, path in images.items() if name not in partners]
    more = f" (and {len(lonely) - 1} more)" if problems is None and len(lonely) > 1 else ""
    for path in lonely:
        complain(
            f"{path}: no picture of the same name in {folder}{more}; add it, or remove this",
            problems,
        )
