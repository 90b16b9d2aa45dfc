"""Import pictures of a folder or an archive into a data set: find, match, check, then place."""

import filecmp
import logging
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, get_args

from models.errors import InputError
from utils.cli.files import folder_lock
from utils.cli.problems import refuse
from utils.cli.processes import run
from utils.cli.progress import progress_bar
from utils.data.folders import Part
from utils.data.importers.archives import unpacked
from utils.data.importers.colours import foreground_colours, split_cutouts
from utils.images.layouts import children, folder_key
from utils.images.names import (
    Lookup,
    by_owner,
    follow,
    is_visible,
    last_part,
    partners,
    pictures_in,
    read_names,
    unread_in,
    write_names,
)
from utils.images.reading import check_same_size, read_alpha, read_image

log = logging.getLogger(__name__)

KINDS = ("composition-1k", "distinctions-646", "pairs", "natural", "cutouts", "photographs")
# How many foregrounds of each part were published.
PUBLISHED: dict[str, dict[Part, int]] = {
    "composition-1k": {"train": 431, "test": 50},
    "distinctions-646": {"train": 596, "test": 50},
}
# What folders are called, as `folder_key` has it.
PARTS = {
    "train": ("training_set", "train", "training"),
    "test": ("test_set", "test", "testing", "validation", "val", "valid", "testval"),
}
FG = ("fg", "fgr", "foreground", "foregrounds")
ALPHA = ("alpha", "alphas", "gt", "matte", "mattes", "pha")
TRIMAP = ("trimap", "trimaps")
PHOTOGRAPHS = ("original", "blurred_image", "original_image", "image", "images", "img")
MATTES = ("mask", "masks", *ALPHA)
ROLES = {"natural": (PHOTOGRAPHS, MATTES, TRIMAP)}  # what the folders of a kind are called
SCRATCH = ".importing"  # in the data set: what is not whole yet
COLOURS = ".importing-colours"  # in the data set: estimated for an import that is not done
VOC_PICTURES = "JPEGImages"  # beside it VOC keeps segmentations, which are no photographs
LIST = re.compile(r"(?:(train)(?:ing)?|(test))_(fg|bg)_names\.txt|(fg|bg)_(train|test)\.txt")
TERMS = re.compile(r".*(licen[cs]e|agreement|terms).*\.(txt|md|pdf|docx?|rtf|html)", re.IGNORECASE)

Roles = tuple[tuple[str, ...], ...]  # what folders of foregrounds, mattes, trimaps are called
Folders = dict[str, dict[str, Path]]  # {"train/fg": {name: where the picture is now}}


class Summary(NamedTuple):
    """What was imported."""

    folders: dict[str, int]  # pictures of the source by where they are now: {"train/fg": 431, ...}
    written: int  # files that are new
    kept: int  # files that were there already

    def __str__(self) -> str:
        parts = [f"{count} {folder}" for folder, count in self.folders.items()]
        return f"{', '.join(parts)} ({self.written} files written, {self.kept} were there)"


class _Source(NamedTuple):
    """What the user named, and the folder that it is or is unpacked in."""

    name: Path
    folder: Path

    def refuse(self, faults: Iterable[str]) -> None:
        """Raise an `InputError` of all that is wrong with it, if anything is."""
        short = [fault.replace(f"{self.folder}{os.sep}", "") for fault in faults]
        refuse(short, self.name, "nothing was changed, mend this and run again")

    def nothing(self, sought: str) -> InputError:
        """The error that nothing of what was `sought` is there."""
        there = ", ".join(sorted(one.name for one in self.folder.iterdir() if one.is_dir())[:5])
        return InputError(
            f"{self.name}: looked for {sought}, and found none in its folders "
            f"({there or 'there are none'}); check --from and --kind"
        )


def import_set(
    kind: str,
    source: Path | str,
    root: Path | str,
    *,
    part: Part | None = None,
    workers: int = 0,
    link: bool = False,
) -> Summary:
    """Import pictures of a folder or of a zip or tar archive into the data set `root`.

    - "composition-1k", "distinctions-646": both parts of these sets, found by the names of their
      folders. Lists of names come along, since their order decides the published test set.
    - "pairs": one folder `fg` with `alpha` (and, for test, `trimap`) beside it, into one part.
    - "natural": photographs with mattes, as AIM-500, AM-2k, P3M-10k, PPM-100 and RWP-636 have
      them; the foreground's colours are estimated, which goes on where it was interrupted.
    - "cutouts": pictures whose alpha channel is the matte; the colours it hides are estimated.
    - "photographs": pictures into `part/bg`; of VOC only its `JPEGImages`.

    Of a source that has a folder for each part, "pairs", "natural" and "photographs" take that of
    `part`.

    A matte takes the name of its foreground. Every picture is decoded and all that does not fit is
    listed before anything is written; then all files come at once. A file that is there already is
    never replaced by another. Can be run again, and with further sources.

    Args:
        source: the folder or the archive.
        root: the folder of the data set; made if it is missing.
        part: "train" or "test"; None imports both parts of a set that comes whole.
        workers: processes that decode pictures; 0 works in this one.
        link: make symbolic links to the files of a folder instead of copies.

    Raises:
        InputError: the source cannot be used as this kind, or another process writes into the data
            set; nothing was imported then.
    """
    source, root = Path(source), Path(root)
    if kind not in KINDS:
        raise InputError(f"--kind {kind}: choose one of {', '.join(KINDS)}")
    if part is None and kind not in PUBLISHED:
        raise InputError(f"{source}: of {kind}, say whether they are --part train or --part test")
    if link and (kind == "cutouts" or not source.is_dir()):
        raise InputError(
            f"{source}: only pictures of a folder that are used as they are can be linked; "
            "leave out --link"
        )
    with folder_lock(root, f"importing {kind}"), _scratch_folder(root) as scratch:
        found = _Source(source, source if source.is_dir() else unpacked(source, scratch / "in"))
        faults: list[str] = []
        if kind in PUBLISHED:
            folders = _published(kind, found, part, scratch, faults)
        elif kind in ("pairs", "natural"):
            folders = _pairs(kind, found, part, faults)
        else:
            folders = {f"{part}/bg": _all_pictures(kind, found, part, faults)}
        if kind == "cutouts":
            files, made = folders[f"{part}/bg"], [scratch / "fg", scratch / "alpha"]
            faults += split_cutouts(files, *made, workers)
            folders = {
                f"{part}/{one.name}": {name: one / f"{name}.png" for name in files} for one in made
            }
        else:
            faults += _check_pictures(folders, workers)
        if kind in PUBLISHED:
            _keep_terms(found.folder, root, scratch)
        found.refuse(faults)
        if kind == "natural":
            _estimate_colours(folders, root, part, workers)
        summary = _place(folders, found, root, scratch, link)
        shutil.rmtree(root / COLOURS, ignore_errors=True)
    _warn_of_unlisted(root)
    return summary


def _published(
    kind: str, source: _Source, only: Part | None, scratch: Path, faults: list[str]
) -> Folders:
    """Both parts, or `only` one; stages lists of names."""
    folders: Folders = {}
    lists = dict(_find_lists(source.folder))
    for part in [only] if only else get_args(Part):
        if (folder := _part_folder(source, part)) is None:
            continue
        found = _match(_find_places(folder), part, faults)
        folders |= found
        if (name := f"{part}_fg_names.txt") in lists:
            lines, files = read_names(lists[name]), found[f"{part}/fg"]
            order, unknown = follow(lines, files)
            faults += [f"{name} lists {line}, of which there is no pair" for line in unknown]
            write_names(scratch / "staged" / part / name, (f"{n}{files[n].suffix}" for n in order))
        elif kind == "composition-1k" and part == "test":
            log.warning("%s: no %s; foregrounds are not in the published order", source.name, name)
        if (name := f"{part}_bg_names.txt") in lists:
            lines = map(last_part, read_names(lists[name]))
            write_names(scratch / "staged" / part / name, lines)
        if (count := len(found[f"{part}/fg"])) != (published := PUBLISHED[kind][part]):
            text = "%s: %d %s foregrounds, not the %d of the published %s"
            log.warning(text, source.name, count, part, published, kind)
    if not folders:
        raise source.nothing(
            "folders fg and alpha (FG, GT, ...) at any depth below Training_set or Train, "
            "and below Test_set or Test"
        )
    log.info("%s: its terms (noncommercial) bind the data and the weights trained on them", kind)
    return folders


def _keep_terms(folder: Path, root: Path, scratch: Path) -> None:
    """Stage documents with the terms of the data, unless others of these names are there."""
    for path in _files(folder):
        if TERMS.fullmatch(path.name) and not (root / path.name).exists():
            (scratch / "staged").mkdir(exist_ok=True)
            shutil.copyfile(path, scratch / "staged" / path.name)


def _pairs(kind: str, source: _Source, part: Part, faults: list[str]) -> Folders:
    roles = ROLES.get(kind, (FG, ALPHA, TRIMAP))
    places = _find_places(_part_folder(source, part, roles) or source.folder, roles)
    if not places:
        names = " and ".join("|".join(names) for names in roles[:2])
        raise source.nothing(f"folders {names} side by side")
    if len(places) > 1 and kind == "pairs":
        one, other = (place[0].relative_to(source.folder) for place in places[:2])
        raise InputError(
            f"{source.name}: holds {one} and {other}; give the folder around one of them at a time"
        )
    folders = _match(places, part, faults)
    if not (folders[f"{part}/fg"] or faults):
        raise source.nothing(f"pictures in {places[0][0].relative_to(source.folder)}")
    return folders


def _estimate_colours(folders: Folders, root: Path, part: Part, workers: int) -> None:
    """Photographs become their foregrounds, but for those that an earlier import has made."""
    images, mattes = folders[f"{part}/fg"], folders[f"{part}/alpha"]
    pending = {}
    for name, image in images.items():
        fg = root / part / "fg" / f"{name}.png"
        alpha = root / part / "alpha" / f"{name}{mattes[name].suffix}"
        if fg.exists() and alpha.exists() and filecmp.cmp(alpha, mattes[name]):
            images[name] = fg
        else:
            pending[name] = image
    images.update(foreground_colours(pending, mattes, root / COLOURS, workers))


def _all_pictures(kind: str, source: _Source, part: Part, faults: list[str]) -> dict[str, Path]:
    """All pictures of the source by name; of VOC only its photographs, of BG-20k only a part."""
    found = list(_walk(source.folder))
    found = [one for one in found if one.name == VOC_PICTURES] or found
    if kind == "photographs":
        sides = [children(one, *(PARTS[p] for p in get_args(Part))) for one in found]
        wanted = get_args(Part).index(part)
        found = next((list(_walk(s[wanted])) for s in sides if all(s)), found)
    files = _by_name(
        ((path.stem, path) for one in found for path in _pictures(one, faults)), faults
    )
    if not (files or faults):
        raise source.nothing("pictures")
    return files


def _match(places: list[list[Path | None]], part: Part, faults: list[str]) -> Folders:
    """Foregrounds and mattes by the foreground's name; for test trimaps by that of the composite.

    A picture in folders of its own, such as a frame of a clip, has their names in its name.
    """

    def found(role: int) -> dict[str, Path]:
        pictures = (
            ("_".join(path.relative_to(place[role]).with_suffix("").parts), path)
            for place in places
            if place[role]
            for folder in _walk(place[role])
            for path in _pictures(folder, faults)
        )
        return _by_name(pictures, faults)

    colours, mattes = found(0), found(1)
    matte = partners(colours, mattes)
    used = set(matte.values())
    faults += [f"{colours[n]} has no matte" for n in colours if n not in matte]
    faults += [f"{mattes[n]} has no foreground" for n in mattes if n not in used]
    folders = {
        f"{part}/fg": {name: colours[name] for name in matte},
        f"{part}/alpha": {name: mattes[other] for name, other in matte.items()},
    }
    if part == "test" and (trimaps := by_owner(found(2), colours, faults)):
        folders["test/trimap"] = {
            name if k is None else f"{name}_{k}": path for (name, k), path in trimaps.items()
        }
    return folders


def _by_name(pictures: Iterable[tuple[str, Path]], faults: list[str]) -> dict[str, Path]:
    """Pictures by name, in order; two different ones of a name are a fault."""
    files: dict[str, Path] = {}
    for name, path in pictures:
        first = files.setdefault(name, path)
        if first is not path and not filecmp.cmp(first, path, shallow=False):
            faults.append(f"{first} and {path} are different, but both would be {name}")
    return dict(sorted(files.items()))


def _check_pictures(folders: Folders, workers: int) -> list[str]:
    """What is wrong with pictures, all of which are decoded: damage, sizes that differ."""
    jobs: list[list[Path]] = []
    for place, files in folders.items():
        if place.endswith("bg"):
            jobs += [[path] for path in files.values()]
        elif place.endswith("fg"):
            part = place.removesuffix("fg")
            alphas, trimaps = folders[f"{part}alpha"], defaultdict(list)
            for (name, _), path in by_owner(folders.get(f"{part}trimap", {}), files).items():
                trimaps[name].append(path)
            jobs += [[path, alphas[name], *trimaps[name]] for name, path in files.items()]
    found: list[str] = []
    done = run(_check, jobs, workers, "the import")
    for problems in progress_bar(done, "reading", len(jobs), unit="image"):
        found += problems
    return sorted(found)


def _check(files: list[Path]) -> list[str]:
    """What is wrong with a picture, and with the mattes and trimaps that go with it."""
    problems, first = [], None
    for path in files:
        try:
            picture = (read_alpha if path != files[0] else read_image)(path)
            first = picture if path == files[0] else first
            if first is not None:
                check_same_size(files[0], first, path, picture)
        except InputError as error:
            problems.append(str(error))
    return problems


def _place(folders: Folders, source: _Source, root: Path, scratch: Path, link: bool) -> Summary:
    """Put pictures into the data set, all at once; the same file that is there already stays."""
    pending: dict[Path, Path] = {}
    faults: list[str] = []
    for place, files in folders.items():
        folder = root / place
        there = {one.stem: one for one in (pictures_in(folder) if folder.is_dir() else ())}
        for name, file in files.items():
            target, other = Path(place, f"{name}{file.suffix}"), there.get(name)
            if other is None:
                pending[target] = file
            elif other.name != target.name or not filecmp.cmp(file, other):
                line = f"{file} would be {root / target}, but {other} is another file of that name"
                faults.append(line.replace(f"{scratch}{os.sep}", ""))
    source.refuse(faults)
    ours = {file for file in pending.values() if _made_here(file, root)}
    bar = progress_bar(pending.items(), desc="importing", unit="file", disable=not pending)
    for target, file in bar:
        staged = scratch / "staged" / target
        staged.parent.mkdir(parents=True, exist_ok=True)
        if file in ours:
            shutil.move(file, staged)
        elif link:
            staged.symlink_to(file.resolve())
        else:
            shutil.copy2(file, staged)
    for path in sorted(one for one in (scratch / "staged").rglob("*") if not one.is_dir()):
        target = root / path.relative_to(scratch / "staged")
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    counts = {place: len(files) for place, files in folders.items()}
    return Summary(counts, len(pending), sum(counts.values()) - len(pending))


def _made_here(file: Path, root: Path) -> bool:
    """Whether a file was unpacked or estimated by the import, so that it may be moved."""
    return any(file.is_relative_to(root / name) for name in (SCRATCH, COLOURS))


def _warn_of_unlisted(root: Path) -> None:
    for part in get_args(Part):
        path, folder = root / part / f"{part}_fg_names.txt", root / part / "fg"
        if path.exists() and folder.is_dir():
            listed = Lookup(read_names(path, []))
            new = [one.name for one in pictures_in(folder) if not listed.find(one.stem)]
            if new:
                text = "%s: leaves out %d foregrounds (such as %s), which are not used; add them"
                log.warning(text, path, len(new), new[0])


# --- what is in a folder ------------------------------------------------------------------------


def _walk(folder: Path) -> Iterator[Path]:
    """A folder and all below it, by name, without hidden ones."""
    yield folder
    for path in sorted(folder.iterdir()):
        if path.is_dir() and is_visible(path.name):
            yield from _walk(path)


def _files(folder: Path) -> Iterator[Path]:
    return (path for one in _walk(folder) for path in sorted(one.iterdir()) if path.is_file())


def _pictures(folder: Path, faults: list[str]) -> list[Path]:
    """The pictures right in a folder; those of kinds that are not read are faults."""
    faults += unread_in(folder)
    return pictures_in(folder)


def _find_places(folder: Path, roles: Roles = (FG, ALPHA, TRIMAP)) -> list[list[Path | None]]:
    """[fg, alpha, trimap or None] of every folder that holds the first two, at any depth."""
    found = [children(parent, *roles) for parent in _walk(folder)]
    return [place for place in found if place[0] and place[1]]


def _part_folder(source: _Source, part: Part, roles: Roles = (FG, ALPHA, TRIMAP)) -> Path | None:
    """The uppermost folder of a part that holds foregrounds."""
    named = [one for one in _walk(source.folder) if folder_key(one.name) in PARTS[part]]
    named = [one for one in named if _find_places(one, roles)]
    upper = [one for one in named if not any(other in one.parents for other in named)]
    if len(upper) > 1:
        one, other = (path.relative_to(source.folder) for path in upper[:2])
        raise InputError(
            f"{source.name}: both {one} and {other} could be its {part} set; give a folder that "
            "holds one of them"
        )
    return upper[0] if upper else None


def _find_lists(folder: Path) -> Iterator[tuple[str, Path]]:
    """Lists of names by what we call them: `train_fg_names.txt`, `test_bg_names.txt` and so on."""
    for path in _files(folder):
        if match := LIST.fullmatch(path.name.casefold()):
            train, test, kind, other_kind, other_part = match.groups()
            yield f"{train or test or other_part}_{kind or other_kind}_names.txt", path


@contextmanager
def _scratch_folder(root: Path) -> Iterator[Path]:
    """Yield a hidden folder in `root` for what is not whole yet, which is removed at the end."""
    folder = root / SCRATCH
    shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
