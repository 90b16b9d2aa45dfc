"""The data set on disk: data/NAME/{train,test}/{fg,alpha,bg}, foregrounds and their mattes."""

from pathlib import Path
from typing import Literal, NamedTuple

from models.errors import InputError
from utils.data.images import list_images

Part = Literal["train", "test"]
LAYOUT = "put colours into {part}/fg, mattes into {part}/alpha, photographs into {part}/bg"


class Foreground(NamedTuple):
    """A foreground: its name, its colours and its matte."""

    name: str
    fg: Path
    alpha: Path


def foregrounds(root: Path | str, part: Part) -> list[Foreground]:
    """The foregrounds of a part: `root/part/fg` and `root/part/alpha`, matched by file stem.

    In the order of `root/part/{part}_fg_names.txt` where it exists (Composition-1k brings one for
    its test set), else by name.

    Raises:
        InputError: a folder is missing or empty; a foreground has no matte, or a matte no
            foreground.
    """
    folder = Path(root) / part
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; {LAYOUT.format(part=part)} of {root} (see data/README.md)"
        )
    colours = list_images(folder / "fg")
    mattes = list_images(folder / "alpha")
    _check_partners(colours, mattes, folder / "alpha")
    _check_partners(mattes, colours, folder / "fg")
    file = folder / f"{part}_fg_names.txt"
    names = _listed(file, colours)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{file}: lists {twice} twice; remove one of the lines")
    return [Foreground(name, colours[name], mattes[name]) for name in names]


def backgrounds(root: Path | str, part: Part, folder: Path | str | None = None) -> list[Path]:
    """The backgrounds of a part: the pictures of `folder`, or of `root/part/bg` where it is None.

    In the order of `root/part/{part}_bg_names.txt` where it exists, else by name.

    Raises:
        InputError: the folder is missing or empty, or a listed picture is not in it.
    """
    part_folder = Path(root) / part
    images = list_images(part_folder / "bg" if folder is None else folder)
    return [images[name] for name in _listed(part_folder / f"{part}_bg_names.txt", images)]


def read_names(path: Path) -> list[str]:
    """The names in a text file, one to a line; blank lines are passed over.

    Raises:
        InputError: the file cannot be read as text, or holds no name.
    """
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of names ({error})") from error
    names = [name for name in names if name]
    if not names:
        raise InputError(f"{path}: holds no names; write one to a line, or remove the file")
    return names


def _listed(path: Path, images: dict[str, Path]) -> list[str]:
    """The stems of `images` in the order of the list at `path`; all, by name, without a list."""
    if not path.exists():
        return list(images)
    files = {image.name: stem for stem, image in images.items()}
    folder = next(iter(images.values())).parent
    order = []
    for name in read_names(path):
        # With or without suffix, and a suffix may have changed (a matte saved again as PNG).
        stem = files.get(name) or next((s for s in (name, Path(name).stem) if s in images), None)
        if stem is None:
            raise InputError(f"{path}: lists {name}, which is not in {folder}; add it there")
        order.append(stem)
    return order


def _check_partners(images: dict[str, Path], partners: dict[str, Path], folder: Path) -> None:
    lonely = [path for name, path in images.items() if name not in partners]
    if lonely:
        more = f" (and {len(lonely) - 1} more)" if len(lonely) > 1 else ""
        raise InputError(
            f"{lonely[0]}: no picture of the same name in {folder}{more}; add it, or remove this"
        )
