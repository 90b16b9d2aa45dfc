"""Bring data sets of others into our layout, `data/NAME/{train,test}/{fg,alpha,bg,trimap}`."""

import logging
from pathlib import Path
from typing import NamedTuple, get_args

from models.atomic import atomic
from models.errors import InputError
from utils.data.folders import Part
from utils.data.importers.archives import opened
from utils.data.importers.cutouts import bring_cutouts
from utils.data.importers.faults import refuse
from utils.data.importers.finding import (
    find_licences,
    find_parts,
    find_pictures,
    find_places,
    is_of_pairs,
    is_visible_picture,
    visible_files,
)
from utils.data.importers.lists import find_lists, follow_list, read_list, warn_unlisted
from utils.data.importers.matching import Matched, gather, match_foregrounds, same_content
from utils.data.importers.placing import How, put_files
from utils.images.listing import write_names
from utils.images.names import clean

log = logging.getLogger(__name__)

# The sets that come whole, and how many foregrounds of each part were published.
PUBLISHED: dict[str, dict[Part, int]] = {
    "composition-1k": {"train": 431, "test": 50},
    "distinctions-646": {"train": 596, "test": 50},
}
SOURCE_KINDS = (*PUBLISHED, "pairs", "cutouts", "photographs")
PARTS = (
    "folders fg and alpha (FG, GT, ...) at any depth below Training_set or Train, "
    "and below Test_set or Test"
)


class Summary(NamedTuple):
    """What was brought."""

    folders: dict[str, int]  # pictures of the source by where they are now: {"train/fg": 431, ...}
    written: int  # files that are new
    kept: int  # files that were there already

    def __str__(self) -> str:
        parts = [f"{count} {folder}" for folder, count in self.folders.items()]
        return f"{', '.join(parts)} ({self.written} files written, {self.kept} were there)"


def bring(
    kind: str,
    source: Path | str,
    root: Path | str,
    *,
    part: Part | None = None,
    workers: int = 0,
    link: bool = False,
) -> Summary:
    """Bring pictures of a folder or of a zip or tar archive into the data set `root`.

    - "composition-1k", "distinctions-646": both parts of these sets, found by the names of their
      folders. Lists of names come along, since their order decides the published test set.
    - "pairs": one folder `fg` with `alpha` (and, for test, `trimap`) beside it, into one part.
    - "cutouts": pictures whose alpha channel is the matte; the colours it hides are estimated.
    - "photographs": pictures into `part/bg`; of VOC only its `JPEGImages`.

    A matte takes the name of its foreground. Nothing is written before everything is checked, all
    that does not fit is listed, and a file that is there already is never replaced by another. Can
    be run again, after an interruption too, and with further sources.

    Args:
        source: the folder or the archive.
        root: the folder of the data set; made if it is missing.
        part: "train" or "test"; None brings both parts of a set that comes whole.
        workers: processes that read cut-outs; 0 works in this one.
        link: make symbolic links to the files of a folder instead of copies: no disk space, but
            the folder must stay where it is. Files of an archive are always the data set's own.

    Raises:
        InputError: the source cannot be used as this kind; nothing of it was brought then.
    """
    source, root = Path(source).expanduser(), Path(root)
    if kind not in SOURCE_KINDS:
        raise InputError(f"--kind {kind}: choose one of {', '.join(SOURCE_KINDS)}")
    if part not in (None, *get_args(Part)):
        raise InputError(f"--part {part}: choose train or test")
    if part is None and kind not in PUBLISHED:
        raise InputError(f"{source}: of {kind}, say whether they are --part train or --part test")
    if link and (kind == "cutouts" or not source.is_dir()):
        raise InputError(
            f"{source}: only pictures of a folder that are used as they are can be linked; "
            "leave out --link"
        )
    bring_kind, wanted, sought = {
        "pairs": (_bring_pairs, is_of_pairs, "folders fg and alpha side by side"),
        "cutouts": (_bring_cutouts, is_visible_picture, "pictures"),
        "photographs": (_bring_photographs, is_visible_picture, "pictures"),
    }.get(kind, (_bring_published, is_of_pairs, PARTS))
    with opened(source, root.resolve(), wanted, sought) as folder:
        how: How = "link" if link else "copy" if folder == source else "move"
        return bring_kind(_Task(kind, source, folder, root, part, how, workers))


class _Task(NamedTuple):
    kind: str
    source: Path  # what the user named
    folder: Path  # the same, or where it is unpacked
    root: Path
    part: Part | None
    how: How
    workers: int

    def lacks(self, sought: str) -> InputError:
        there = sorted(path.name for path in self.folder.iterdir() if path.is_dir())[:5]
        return InputError(
            f"{self.source}: looked for {sought}, and found none in its folders "
            f"({', '.join(there) or 'there are none'}); check --from and --kind"
        )


def _bring_published(task: _Task) -> Summary:
    parts = find_parts(task.folder)
    if task.part is not None:
        parts = {part: folder for part, folder in parts.items() if part == task.part}
    if not parts:
        raise task.lacks(PARTS)
    published = PUBLISHED[task.kind]
    lists = {
        name: read_list(path)
        for name, path in find_lists(visible_files(task.folder), task.folder).items()
        if name.split("_")[0] in parts
    }
    found: dict[Part, Matched] = {}
    faults: list[str] = []
    for part, folder in parts.items():
        name = f"{part}_fg_names.txt"
        found[part] = match_foregrounds(find_places(folder), lists.get(name), task.folder)
        faults += found[part].faults
        if name in lists:
            lists[name], missing = follow_list(lists[name], found[part].foregrounds, part)
            faults += missing
    refuse(task.source, faults)
    summary = _place(task, found)
    for name, lines in lists.items():
        write_names(task.root / name.split("_")[0] / name, lines)
    for part in published:
        count = len(found[part].foregrounds) if part in found else 0
        if count != published[part] and task.part in (None, part):
            log.warning(
                "%s: %d %s foregrounds, not the %d of the published %s",
                task.source,
                count,
                part,
                published[part],
                task.kind,
            )
    if task.kind == "composition-1k" and "test" in found and "test_fg_names.txt" not in lists:
        log.warning(
            "%s: no test_fg_names.txt; by name, foregrounds are not in the published order",
            task.source,
        )
    _keep_licences(task)
    return summary


def _bring_pairs(task: _Task) -> Summary:
    places = find_places(task.folder)
    if not places:
        raise task.lacks("folders fg and alpha side by side")
    if len(places) > 1:
        one, other = (place.fg.relative_to(task.folder) for place in places[:2])
        raise InputError(
            f"{task.source}: holds {one} and {other}; give the folder around one of them at a time"
        )
    found = match_foregrounds(places, None, task.folder)
    refuse(task.source, found.faults)
    summary = _place(task, {task.part: found})
    warn_unlisted(task.root / task.part, [one.name for one in found.foregrounds])
    _keep_licences(task)
    return summary


def _bring_cutouts(task: _Task) -> Summary:
    files = _gather_all(task)
    folder = task.root / task.part
    written, kept = bring_cutouts(files, folder, task.workers, task.source, task.folder)
    warn_unlisted(task.root / task.part, files)
    counts = {f"{task.part}/{kind}": len(files) for kind in ("fg", "alpha")}
    return Summary(counts, 2 * written, 2 * kept)


def _bring_photographs(task: _Task) -> Summary:
    files = _gather_all(task)
    folder = task.root / task.part / "bg"
    targets = {folder / f"{name}{path.suffix}": path for name, path in files.items()}
    written, kept = put_files(targets, task.how, task.source, task.folder)
    return Summary({f"{task.part}/bg": len(files)}, written, kept)


def _gather_all(task: _Task) -> dict[str, Path]:
    faults: list[str] = []
    files = gather(find_pictures(task.folder), task.folder, faults)
    refuse(task.source, faults)
    if not files:
        raise task.lacks("pictures")
    return files


def _place(task: _Task, found: dict[Part, Matched]) -> Summary:
    targets: dict[Path, Path] = {}
    counts: dict[str, int] = {}
    for part, matched in found.items():
        kinds = {
            "fg": {one.name: one.fg for one in matched.foregrounds},
            "alpha": {one.name: one.alpha for one in matched.foregrounds},
        }
        if part == "test" and matched.trimaps:
            kinds["trimap"] = matched.trimaps
        for kind, files in kinds.items():
            folder = task.root / part / kind
            targets |= {folder / f"{name}{path.suffix}": path for name, path in files.items()}
            counts[f"{part}/{kind}"] = len(files)
    return Summary(counts, *put_files(targets, task.how, task.source, task.folder))


def _keep_licences(task: _Task) -> None:
    """Copy the terms of the data into the data set, and say that they bind."""
    for path in find_licences(task.folder):
        target = task.root / clean(path.name)
        if target.exists() and not same_content(path, target):  # those of another source
            inner = path.relative_to(task.folder).parts
            target = task.root / clean("-".join((task.source.stem, *inner)))
        with atomic(target) as temporary:
            temporary.write_bytes(path.read_bytes())
        log.info("%s: the terms of these data", target)
    if task.kind in PUBLISHED:
        log.info(
            "%s: its terms (noncommercial) bind the data and the weights trained on them",
            task.kind,
        )
