"""Which files belong together: those of one name, and NAME_k with NAME."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from utils.cli.problems import complain
from utils.images.names import clean, name_key, parse_composite, without_suffix


class Lookup:
    """Finds names as people mean them: just so, or the only one of the same `name_key`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        by_key: dict[str, list[str]] = {}
        for name in self._names:
            by_key.setdefault(name_key(name), []).append(name)
        self._unique = {text: same[0] for text, same in by_key.items() if len(same) == 1}

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
        for spelling in (text, name_key(text)):
            composite = parse_composite(spelling)
            name = self.find(composite[0]) if composite else None
            if name is not None:
                return name, composite[1]
        return None


def partners(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """{name: its partner among `others`}: the same name, or the same `name_key` if only one has it.

    Where a name is on both sides, it is its own partner.
    """
    names, others = list(names), list(others)
    exact = set(names) & set(others)
    ours, theirs = (Lookup(name for name in side if name not in exact) for side in (names, others))
    pairs = {}
    for name in names:
        other = name if name in exact else theirs.find(name)
        if other is not None and (name in exact or ours.find(other) == name):
            pairs[name] = other
    return pairs


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
) -> tuple[dict[tuple[str, int | None], Path], list[Path]]:
    """The files of NAME, `{(NAME, None): path}`, and of NAME_k, `{(NAME, k): path}`; all others.

    Args:
        names: every NAME that there is.
        problems: where to put what is wrong, instead of raising it.

    Raises:
        InputError: two files belong to the same.
    """
    lookup = Lookup(names)
    owned: dict[tuple[str, int | None], Path] = {}
    others = []
    for name, path in files.items():
        owner = lookup.owner(name)
        if owner is None:
            others.append(path)
        elif (first := owned.setdefault(owner, path)) is not path:
            complain(f"{path}: means the same as {first.name}; remove one of them", problems)
    return owned, others


def belongs_to_none(path: Path) -> str:
    """What is wrong with one of the others of `by_owner`."""
    return f"{path}: belongs to no foreground; rename it, or remove it"


def follow(lines: Iterable[str], images: Mapping[str, Path]) -> tuple[list[str], list[str]]:
    """The names of `images` in the order of a list, and the lines that name none of them.

    With or without suffix, and a suffix may have changed (a matte saved again as PNG); there may be
    folders before a name, with slashes of either kind.
    """
    files = {clean(path.name): name for name, path in images.items()}
    lookup = Lookup(images)
    order, unknown = [], []
    for line in lines:
        for text in (line, last_part(line)):
            name = files.get(text) or lookup.find(text) or lookup.find(without_suffix(text))
            if name is not None:
                order.append(name)
                break
        else:
            unknown.append(line)
    return order, unknown


def last_part(line: str) -> str:
    """A line of a list without the folders before the name."""
    return line.replace("\\", "/").rpartition("/")[2]
