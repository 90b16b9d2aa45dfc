"""What to say of weights of no known layout: a classifier's, or how the closest layout differs."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from models.errors import InputError
from models.registry import NETWORKS, blank

SHOWN = 3  # entries that differ
READ = 2000  # entries that are looked at
NOWHERE = "an entry of no layout"


def told(state: Mapping[str, Tensor], layouts: Mapping[str, ModuleType], source: Path | str) -> str:
    """Why weights of no known layout cannot be loaded, and what `source` is good for."""
    entries = list(islice(state, READ))
    if takers := _takers(state):
        classifier, names = takers
        return (
            f"weights of the classifier {classifier}, not of a whole network; train one on them "
            f"with network.name={' or '.join(names)} and network.pretrained={source}"
        )
    strange = {title: _strange(layout, entries) for title, layout in layouts.items()}
    title = min(strange, key=lambda title: len(strange[title]))
    if len(strange[title]) == len(entries):
        return f"no layout known here has an entry {entries[0][:100]!r}"
    if not strange[title]:
        wanted = layouts[title].SIGNATURE.pattern.replace("\\", "")
        return f"of no layout known here; the closest is {title}, which has entries {wanted}, too"
    first = ", ".join(repr(entry[:100]) for entry in strange[title][:SHOWN])
    more = f" and {len(strange[title]) - SHOWN} more" if len(strange[title]) > SHOWN else ""
    return f"of no layout known here; the closest is {title}, which has no {first}{more}"


def _takers(state: Mapping[str, Tensor]) -> tuple[str, list[str]] | None:
    """The classifier whose weights these are, and the networks whose encoders start from it."""
    found: dict[str, list[str]] = {}
    for name in NETWORKS:
        with torch.device("meta"):
            encoder = blank(name).encoder()
        if encoder and all(entry in state for entry in encoder.entries.values()):
            found.setdefault(encoder.classifier, []).append(name)
    return next(iter(found.items()), None)


def _strange(layout: ModuleType, entries: Iterable[str]) -> list[str]:
    """The entries that a layout does not have."""
    return [entry for entry in entries if not _knows(layout, entry)]


def _knows(layout: ModuleType, entry: str) -> bool:
    # It names the first entry that it does not have, and reads no further.
    value = torch.empty(0)
    try:
        layout.convert({entry: value, NOWHERE: value})
    except InputError as error:
        return NOWHERE in str(error)
    return False
