"""One's own pairs, cut-outs and photographs, into one part of a data set."""

from pathlib import Path

from models.errors import InputError
from utils.cli.problems import refuse
from utils.data.importers.cutouts import put_cutouts
from utils.data.importers.finding import find_pictures, find_places
from utils.data.importers.lists import warn_unlisted
from utils.data.importers.matching import gather, match_foregrounds
from utils.data.importers.placing import CURE
from utils.data.importers.request import Request, Summary, put, put_matched
from utils.data.importers.terms import keep_terms

PAIRS = "folders fg and alpha side by side"


def import_pairs(request: Request) -> Summary:
    """Import one folder of foregrounds with the folder of mattes beside it."""
    places = find_places(request.folder)
    if not places:
        raise request.lacks(PAIRS)
    if len(places) > 1:
        one, other = (place.fg.relative_to(request.folder) for place in places[:2])
        raise InputError(
            f"{request.source}: holds {one} and {other}; "
            "give the folder around one of them at a time"
        )
    found = match_foregrounds(places, None, request.folder)
    refuse(found.faults, request.source, CURE)
    summary = put_matched(request, {request.part: found})
    warn_unlisted(request.root / request.part, [one.name for one in found.foregrounds])
    keep_terms(request)
    return summary


def import_cutouts(request: Request) -> Summary:
    """Import pictures whose alpha channel is the matte."""
    files = _gather_all(request)
    written, kept = put_cutouts(files, request)
    warn_unlisted(request.root / request.part, files)
    counts = {f"{request.part}/{kind}": len(files) for kind in ("fg", "alpha")}
    return Summary(counts, 2 * written, 2 * kept)


def import_photographs(request: Request) -> Summary:
    """Import pictures as backgrounds."""
    files = _gather_all(request)
    folder = request.root / request.part / "bg"
    targets = {folder / f"{name}{path.suffix}": path for name, path in files.items()}
    written, kept = put(request, targets)
    return Summary({f"{request.part}/bg": len(files)}, written, kept)


def _gather_all(request: Request) -> dict[str, Path]:
    faults: list[str] = []
    files = gather(find_pictures(request.folder, faults), request.folder, faults)
    refuse(faults, request.source, CURE)
    if not files:
        raise request.lacks("pictures")
    return files
