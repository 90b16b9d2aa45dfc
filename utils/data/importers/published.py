"""Composition-1k and Distinctions-646: both parts, with the lists that decide their order."""

import logging

from utils.cli.problems import refuse
from utils.data.folders import Part
from utils.data.importers.finding import find_parts, find_places, visible_files
from utils.data.importers.lists import find_lists, follow_list, read_list
from utils.data.importers.matching import Matched, match_foregrounds
from utils.data.importers.placing import CURE
from utils.data.importers.request import Request, Summary, put_matched
from utils.data.importers.terms import keep_terms
from utils.images.names import write_names

log = logging.getLogger(__name__)

# How many foregrounds of each part were published.
PUBLISHED: dict[str, dict[Part, int]] = {
    "composition-1k": {"train": 431, "test": 50},
    "distinctions-646": {"train": 596, "test": 50},
}
PARTS = (
    "folders fg and alpha (FG, GT, ...) at any depth below Training_set or Train, "
    "and below Test_set or Test"
)


def import_published(request: Request) -> Summary:
    """Import the parts of a published set, or the one that is asked for."""
    parts = find_parts(request.folder)
    if request.part is not None:
        parts = {part: folder for part, folder in parts.items() if part == request.part}
    if not parts:
        raise request.lacks(PARTS)
    lists = {
        name: read_list(path)
        for name, path in find_lists(visible_files(request.folder), request.folder).items()
        if name.split("_")[0] in parts
    }
    found: dict[Part, Matched] = {}
    faults: list[str] = []
    for part, folder in parts.items():
        name = f"{part}_fg_names.txt"
        found[part] = match_foregrounds(find_places(folder), lists.get(name), request.folder)
        faults += found[part].faults
        if name in lists:
            lists[name], missing = follow_list(lists[name], found[part].foregrounds, part)
            faults += missing
    refuse(faults, request.source, CURE)
    summary = put_matched(request, found)
    for name, lines in lists.items():
        write_names(request.root / name.split("_")[0] / name, lines)
    _warn_of_others(request, found)
    if request.kind == "composition-1k" and "test" in found and "test_fg_names.txt" not in lists:
        log.warning(
            "%s: no test_fg_names.txt; by name, foregrounds are not in the published order",
            request.source,
        )
    keep_terms(request)
    log.info(
        "%s: its terms (noncommercial) bind the data and the weights trained on them", request.kind
    )
    return summary


def _warn_of_others(request: Request, found: dict[Part, Matched]) -> None:
    """Warn of parts that are not of the published size."""
    for part, published in PUBLISHED[request.kind].items():
        count = len(found[part].foregrounds) if part in found else 0
        if count != published and request.part in (None, part):
            log.warning(
                "%s: %d %s foregrounds, not the %d of the published %s",
                *(request.source, count, part, published, request.kind),
            )
