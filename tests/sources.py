"""Data sets of others, in small, and what has arrived of them."""

import shutil
from pathlib import Path

from tests import refusals
from tests.sets import disc, picture
from utils.data.importers.importing import import_set
from utils.images.writing import write_image

SIZE = (24, 32)


def fg(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> None:
    write_image(path.with_suffix(".png"), picture(seed, *size))
    path.with_suffix(".png").replace(path)


def alpha(path: Path, softness: float = 3, size: tuple[int, int] = SIZE) -> None:
    write_image(path.with_suffix(".png"), disc(*size, softness))
    path.with_suffix(".png").replace(path)


def text(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def write_pairs(folder: Path) -> Path:
    """Three foregrounds and their mattes, which are fg/0.png to alpha/2.png of the folder."""
    for index in range(3):
        fg(folder / f"fg/{index}.png", index)
        alpha(folder / f"alpha/{index}.png", 2 + index)
    return folder


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def pack(folder: Path, name: str) -> Path:
    kind = {".zip": "zip", ".tar": "tar", ".tgz": "gztar"}[Path(name).suffix]
    made = shutil.make_archive(str(folder.parent / "packed"), kind, folder)
    return Path(made).replace(folder.parent / name)


def refused(*arguments, **options) -> str:
    """What is said of an import that is refused."""
    return refusals.refused(import_set, *arguments, **options)
