"""Pictures by name: those of a folder, those of a list, and which of them belong together."""

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.problems import complain

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
# Pictures and arrays of other kinds: they belong to a set, though nothing reads them.
UNREAD_SUFFIXES = (
    *(".gif", ".heic", ".heif", ".avif", ".jfif", ".jxl", ".jp2", ".psd", ".exr", ".tga", ".dng"),
    *(".npy", ".npz"),
)
SYSTEM_FOLDERS = ("__MACOSX", "$RECYCLE.BIN", "@eaDir", "@Recycle", "#recycle")


def is_visible(name: str) -> bool:
    """Whether a file or folder is neither hidden nor what a system adds for itself."""
    return not name.startswith(".") and name not in SYSTEM_FOLDERS


def name_key(name: str) -> str:
    """What the names of one picture share: no case, one form of accents and blanks, no suffix.

    A suffix is left over where `a.jpg` was saved as `a.jpg.png`.
    """
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    while text.endswith(IMAGE_SUFFIXES):
        text = text.rpartition(".")[0]
    return text


def composite_names(foreground: str, per_foreground: int) -> list[str]:
    """NAME_0 to NAME_(n - 1) of the foreground NAME; raises an `InputError` of n below 1."""
    if per_foreground < 1:
        raise InputError(f"{per_foreground} composites for each foreground: choose 1 or more")
    return [f"{foreground}_{k}" for k in range(per_foreground)]


def parse_composite(text: str) -> tuple[str, int] | None:
    """(NAME, k) of NAME_k; None of anything else."""
    name, _, number = text.rpartition("_")
    if not (name and len(number) < 10 and number.isascii() and number.isdigit()):
        return None
    k = int(number)
    return (name, k) if str(k) == number else None  # cat_07 would be a second name of cat_7


def pictures_in(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """The pictures right in a folder, by name; hidden ones are passed over."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(suffixes) and is_visible(path.name) and not path.is_dir()
    )


def unread_in(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[str]:
    """A line for each file right in a folder that is a picture or an array of a kind not read."""
    other = tuple(suffix for suffix in UNREAD_SUFFIXES if suffix not in suffixes)
    return [
        f"{path}: {path.suffix} is not read here; save it as PNG or JPEG, or remove it"
        for path in pictures_in(folder, other)
    ]


def no_folder(folder: Path, cure: str) -> str:
    """What is wrong with a folder that is none."""
    if folder.exists():
        return f"{folder}: is a file; give the folder that holds it, {folder.parent}"
    return f"{folder}: no such folder; {cure}"


def list_images(
    folder: Path | str,
    problems: list[str] | None = None,
    suffixes: tuple[str, ...] = IMAGE_SUFFIXES,
) -> dict[str, Path]:
    """The pictures of a folder by name without suffix, in the order of their file names.

    Args:
        problems: where to put all that is wrong, instead of raising the first of it.
        suffixes: of what counts as a picture.

    Raises:
        InputError: no such folder; no picture in it, one of a kind that is not read, or two of the
            same name.
    """
    folder = Path(folder)
    images: dict[str, Path] = {}
    if not folder.is_dir():
        complain(no_folder(folder, "make it and put pictures into it"), problems)
        return images
    unread = unread_in(folder, suffixes)
    complain(unread, problems)
    for path in pictures_in(folder, suffixes):
        first = images.setdefault(path.stem, path)
        if first is not path:
            same = f"{folder}: {first.name} and {path.name} have the same name; remove one"
            complain(same, problems)
    if not images and not unread:
        complain(f"{folder}: no pictures in it ({', '.join(suffixes)}); add some", problems)
    return images


def read_names(path: Path, problems: list[str] | None = None) -> list[str]:
    """The names in a list file, UTF-8, one to a line.

    Args:
        problems: where to put what is wrong, instead of raising it.

    Raises:
        InputError: the file is no UTF-8 text, or holds no name.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        complain(f"{path}: no plain text; save it as UTF-8", problems)
        return []
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        complain(f"{path}: holds no names; write one to a line, or remove the file", problems)
    return names


def write_names(path: Path, names: Iterable[str]) -> None:
    """Write a list file."""
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def last_part(line: str) -> str:
    """A line of a list without the folders before the name."""
    return line.replace("\\", "/").rpartition("/")[2]


class Lookup:
    """Finds names as people mean them: just so, or the only one of the same `name_key`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        by_key: dict[str, list[str]] = {}
        for name in self._names:
            by_key.setdefault(name_key(name), []).append(name)
        self._unique = {key: same[0] for key, same in by_key.items() if len(same) == 1}

    def find(self, text: str) -> str | None:
        """The name that is meant by `text`."""
        return text if text in self._names else self._unique.get(name_key(text))

    def owner(self, text: str) -> tuple[str, int | None] | None:
        """(NAME, None) of NAME, (NAME, k) of NAME_k, where NAME is one of the names.

        cat_1 is the foreground cat_1 if there is one, not the second composite of cat.
        """
        name = self.find(text)
        if name is not None:
            return name, None
        composite = parse_composite(text) or parse_composite(name_key(text))
        name = self.find(composite[0]) if composite else None
        return None if name is None else (name, composite[1])


def partners(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """{name: its partner among `others`}: the same name, or the same `name_key` if only one has it.

    Where a name is on both sides, it is its own partner.
    """
    names, others = list(names), list(others)
    exact = set(names) & set(others)
    ours, theirs = (Lookup(name for name in side if name not in exact) for side in (names, others))
    meant = {name: name if name in exact else theirs.find(name) for name in names}
    return {
        name: other
        for name, other in meant.items()
        if other is not None and (name in exact or ours.find(other) == name)
    }


def find_partners(
    files: Mapping[str, Path],
    others: Mapping[str, Path],
    folder: Path,
    problems: list[str] | None = None,
    shared: bool = False,
    own: Path | None = None,
) -> dict[str, Path]:
    """The partner of each of `files` among `others`, the pictures of `folder`; by name.

    Args:
        problems: where to put all files that have none, instead of raising the first of them.
        shared: NAME_k takes the partner of NAME where it has none of its own.
        own: the folder of `files`, where these are all of it: then each of `others` must be the
            partner of a file, too, so that no set becomes smaller unseen.

    Raises:
        InputError: a file has no partner.
    """
    pairs = partners(files, others)
    used = set(pairs.values())
    if shared:
        lookup = Lookup(others)
        for name in files:
            composite = parse_composite(name)
            other = composite and lookup.find(composite[0])
            if other:
                pairs.setdefault(name, other)
                used.add(other)
    single = [(path, folder) for name, path in files.items() if name not in pairs]
    if own is not None:
        single += [(path, own) for name, path in others.items() if name not in used]
    cure = "add it, or remove this"
    complain([f"{path}: no file of the same name in {at}; {cure}" for path, at in single], problems)
    return {name: others[other] for name, other in pairs.items()}


def by_owner(
    files: Mapping[str, Path], names: Iterable[str], problems: list[str] | None = None
) -> dict[tuple[str, int | None], Path]:
    """The files of NAME, `{(NAME, None): path}`, and of NAME_k, `{(NAME, k): path}`.

    Args:
        names: every NAME that there is.
        problems: where to put what is wrong, instead of raising it.

    Raises:
        InputError: two files belong to the same, or one to none.
    """
    lookup = Lookup(names)
    owned: dict[tuple[str, int | None], Path] = {}
    wrong = []
    for name, path in files.items():
        owner = lookup.owner(name)
        if owner is None:
            wrong.append(f"{path}: belongs to no foreground; rename it, or remove it")
        elif (first := owned.setdefault(owner, path)) is not path:
            wrong.append(f"{path}: means the same as {first.name}; remove one of them")
    complain(wrong, problems)
    return owned


def follow(lines: Iterable[str], names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those of the names that are in a list, in its order, and the lines that mean none of them.

    With or without suffix, which may have changed; there may be folders before a name.
    """
    lookup = Lookup(names)
    meant = [(line, lookup.find(last_part(line))) for line in lines]
    return [name for _, name in meant if name is not None], [
        line for line, name in meant if name is None
    ]
