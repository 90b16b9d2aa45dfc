"""Which files belong together: the photograph, the truth, the trimap and the matte of a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError
from utils.images.files import check_sizes, image_size, list_images
from utils.images.mattes import list_mattes, matte_size


@dataclass(frozen=True)
class Picture:
    """The files of one test picture: `matte` where a saved one is scored; no `alpha`, no truth."""

    name: str
    image: Path | None
    alpha: Path | None
    trimap: Path
    matte: Path | None = None

    @property
    def files(self) -> list[Path]:
        """Those that there are."""
        files = (self.image, self.alpha, self.trimap, self.matte)
        return [file for file in files if file is not None]


def match(images: Path, alphas: Path | None, trimaps: Path, shared: bool = False) -> list[Picture]:
    """The pictures of a folder with their mattes and trimaps, by name without suffix.

    Args:
        alphas: None for pictures whose truth is not known.
        shared: NAME_k, k = 0, 1 ..., takes the matte or trimap NAME where it has none of its own.

    Raises:
        InputError: a folder is missing or empty, or a picture lacks its matte or trimap.
    """
    photographs = list_images(images)
    truth = _partners(alphas, photographs, shared) if alphas else {}
    known = _partners(trimaps, photographs, shared)
    return [Picture(name, path, truth.get(name), known[name]) for name, path in photographs.items()]


def match_saved(mattes: Path, alphas: Path, trimaps: Path) -> list[Picture]:
    """Saved mattes with their truth: a mean over some pictures is not the mean of the set.

    Raises:
        InputError: as `match`; also when a saved matte is missing.
    """
    saved = list_mattes(mattes)
    truth, known = list_images(alphas), list_images(trimaps)
    require_all(alphas, truth, saved)
    require_all(trimaps, known, saved)
    require_all(mattes, saved, known | truth)
    return [Picture(name, None, truth[name], known[name], path) for name, path in saved.items()]


def with_mattes(pictures: Sequence[Picture], mattes: Path) -> list[Picture]:
    """The pictures with saved mattes of the same names.

    Raises:
        InputError: the folder cannot be used, or a matte is missing.
    """
    saved = list_mattes(mattes)
    require_all(mattes, saved, {picture.name: picture.trimap for picture in pictures})
    return [Picture(p.name, p.image, p.alpha, p.trimap, saved[p.name]) for p in pictures]


def sizes(pictures: Sequence[Picture]) -> dict[str, tuple[int, int]]:
    """The (height, width) of each picture by name, from the headers of its files.

    Raises:
        InputError: the files of one picture differ in size, or one of them is no picture.
    """
    found = {}
    known: dict[Path, tuple[int, int]] = {}  # composites may share their mattes
    for picture in pictures:
        for file in picture.files:
            if file not in known:
                known[file] = matte_size(file) if file == picture.matte else image_size(file)
        first = picture.matte or picture.image or picture.trimap
        for file in picture.files:
            check_sizes(first, known[first], file, known[file])
        found[picture.name] = known[first]
    return found


def _partners(folder: Path, wanted: dict[str, Path], shared: bool) -> dict[str, Path]:
    """The file of a folder for each name that is wanted."""
    files = list_images(folder)
    if shared:
        for name in wanted:
            foreground, _, number = name.rpartition("_")
            if name not in files and number.isdigit() and foreground in files:
                files[name] = files[foreground]
    require_all(folder, files, wanted)
    return files


def require_all(folder: Path, files: Mapping[str, Path], wanted: Mapping[str, Path]) -> None:
    """Raise an `InputError` that names `folder` and the first of `wanted` that `files` lacks."""
    missing = sorted(wanted.keys() - files.keys())
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"{folder}: nothing for {wanted[missing[0]].name}{more}; "
            "files that belong together have the same name"
        )
