"""Import pictures of a folder or an archive into a data set, whatever kind of set they are."""

import logging
from pathlib import Path
from typing import get_args

from models.errors import InputError
from models.files.atomic import shortened
from utils.data.folders import Part
from utils.data.importers.archives import unpack
from utils.data.importers.cutouts import split_cutouts
from utils.data.importers.finding import (
    find_lists,
    find_parts,
    find_pictures,
    find_places,
    find_terms,
)
from utils.data.importers.matching import (
    Matched,
    by_unique_name,
    check_pictures,
    match_foregrounds,
    same_content,
)
from utils.data.importers.placing import Request, Summary, put_pictures, scratch_folder
from utils.disk.lock import folder_lock
from utils.images.names import clean, name_of, pictures_in, read_names, write_names
from utils.images.pairing import Lookup, follow, last_part

log = logging.getLogger(__name__)

# How many foregrounds of each part were published.
PUBLISHED: dict[str, dict[Part, int]] = {
    "composition-1k": {"train": 431, "test": 50},
    "distinctions-646": {"train": 596, "test": 50},
}


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
    - "cutouts": pictures whose alpha channel is the matte; the colours it hides are estimated.
    - "photographs": pictures into `part/bg`; of VOC only its `JPEGImages`.

    A matte takes the name of its foreground. Every picture is decoded and all that does not fit is
    listed before anything is written; then all files come at once. A file that is there already is
    never replaced by another. Can be run again, and with further sources.

    Args:
        source: the folder or the archive.
        root: the folder of the data set; made if it is missing.
        part: "train" or "test"; None imports both parts of a set that comes whole.
        workers: processes that decode pictures; 0 works in this one.
        link: make symbolic links to the files of a folder instead of copies: no disk space, but
            the folder must stay where it is. Files of an archive are always the data set's own.

    Raises:
        InputError: the source cannot be used as this kind, or another process writes into the data
            set; nothing was imported then.
    """
    source, root = Path(source), Path(root)
    kinds = {
        **dict.fromkeys(PUBLISHED, _import_published),
        "pairs": _import_pairs,
        "cutouts": _import_cutouts,
        "photographs": _import_photographs,
    }
    if kind not in kinds:
        raise InputError(f"--kind {kind}: choose one of {', '.join(kinds)}")
    if part not in (None, *get_args(Part)):
        raise InputError(f"--part {part}: choose train or test")
    if part is None and kind not in PUBLISHED:
        raise InputError(f"{source}: of {kind}, say whether they are --part train or --part test")
    if link and (kind == "cutouts" or not source.is_dir()):
        raise InputError(
            f"{source}: only pictures of a folder that are used as they are can be linked; "
            "leave out --link"
        )
    with folder_lock(root, f"importing {kind}"), scratch_folder(root) as scratch:
        folder = source if source.is_dir() else unpack(source, scratch / "unpacked")
        mode = "link" if link else "copy" if folder == source else "move"
        request = Request(kind, source, folder, root, scratch, part, mode, workers)
        summary = kinds[kind](request)
        request.publish()
    _warn_of_unlisted(root)
    return summary


def _import_published(request: Request) -> Summary:
    parts = find_parts(request.folder)
    if request.part is not None:
        parts = {part: folder for part, folder in parts.items() if part == request.part}
    if not parts:
        raise request.nothing_found(
            "folders fg and alpha (FG, GT, ...) at any depth below Training_set or Train, "
            "and below Test_set or Test"
        )
    lists = {
        name: [last_part(line) for line in read_names(path)]  # without the folders before names
        for name, path in find_lists(request.folder).items()
        if name.split("_")[0] in parts
    }
    found: dict[Part, Matched] = {}
    faults: list[str] = []
    for part, folder in parts.items():
        name, places = f"{part}_fg_names.txt", find_places(folder)
        found[part] = match_foregrounds(places, lists.get(name), request.workers)
        faults += found[part].faults
        if name in lists:
            files = {one.name: one.fg for one in found[part].foregrounds}
            order, unknown = follow(lists[name], files)
            faults += [f"{name} lists {line}, of which there is no pair" for line in unknown]
            lists[name] = [f"{one}{files[one].suffix}" for one in order]
    request.refuse(faults)
    for name, lines in lists.items():
        write_names(request.staging / name.split("_")[0] / name, lines)
    for part, published in PUBLISHED[request.kind].items():
        count = len(found[part].foregrounds) if part in found else 0
        if count != published and request.part in (None, part):
            log.warning(
                "%s: %d %s foregrounds, not the %d of the published %s",
                *(request.source, count, part, published, request.kind),
            )
    if request.kind == "composition-1k" and "test" in found and "test_fg_names.txt" not in lists:
        log.warning(
            "%s: no test_fg_names.txt; by name, foregrounds are not in the published order",
            request.source,
        )
    log.info(
        "%s: its terms (noncommercial) bind the data and the weights trained on them", request.kind
    )
    return _put_matched(request, found)


def _import_pairs(request: Request) -> Summary:
    places = find_places(request.folder)
    if not places:
        raise request.nothing_found("folders fg and alpha side by side")
    if len(places) > 1:
        one, other = (place.fg.relative_to(request.folder) for place in places[:2])
        raise InputError(
            f"{request.source}: holds {one} and {other}; "
            "give the folder around one of them at a time"
        )
    found = match_foregrounds(places, None, request.workers)
    request.refuse(found.faults)
    return _put_matched(request, {request.part: found})


def _import_cutouts(request: Request) -> Summary:
    files = _all_pictures(request)
    made = split_cutouts(files, request)
    return put_pictures(request._replace(mode="move"), made)


def _import_photographs(request: Request) -> Summary:
    files = _all_pictures(request)
    faults = check_pictures([[path] for path in files.values()], request.workers)
    request.refuse(faults)
    return put_pictures(request, {f"{request.part}/bg": files})


def _all_pictures(request: Request) -> dict[str, Path]:
    """All pictures of the source by name; of VOC's photographs only those."""
    faults: list[str] = []
    found = find_pictures(request.folder, faults)
    files = by_unique_name(((clean(path.stem), path) for path in found), faults)
    request.refuse(faults)
    if not files:
        raise request.nothing_found("pictures")
    return files


def _put_matched(request: Request, found: dict[Part, Matched]) -> Summary:
    """Put foregrounds, their mattes and for test their trimaps, and the terms of the data."""
    folders: dict[str, dict[str, Path]] = {}
    for part, matched in found.items():
        if not matched.foregrounds:
            raise request.nothing_found(f"pictures in its folders of {part} foregrounds")
        folders[f"{part}/fg"] = {one.name: one.fg for one in matched.foregrounds}
        folders[f"{part}/alpha"] = {one.name: one.alpha for one in matched.foregrounds}
        if part == "test" and matched.trimaps:
            folders[f"{part}/trimap"] = matched.trimaps
    summary = put_pictures(request, folders)
    for path in find_terms(request.folder):
        _keep_terms(request, path)
    return summary


def _keep_terms(request: Request, path: Path) -> None:
    """Copy a document with the terms of the data, beside those of other sources."""
    target = request.root / clean(path.name)
    if target.exists() and not same_content(path, target):
        parts = (request.source.stem, *path.relative_to(request.folder).with_suffix("").parts)
        target = request.root / shortened(clean("-".join(parts)), path.suffix)
    if target.exists() and not same_content(path, target):
        log.warning("%s: is another file already; the terms are %s", target, path.name)
        return
    request.staging.mkdir(parents=True, exist_ok=True)
    (request.staging / target.name).write_bytes(path.read_bytes())
    log.info("%s: the terms of these data", target)


def _warn_of_unlisted(root: Path) -> None:
    for part in get_args(Part):
        path, folder = root / part / f"{part}_fg_names.txt", root / part / "fg"
        if path.exists() and folder.is_dir():
            listed = Lookup(read_names(path, []))
            new = [one.name for one in pictures_in(folder) if not listed.find(name_of(one))]
            if new:
                log.warning(
                    "%s: leaves out %d foregrounds (such as %s), which are not used; add them",
                    *(path, len(new), new[0]),
                )
