"""How long a network of a table takes, beside its teacher."""

import json
from collections.abc import Mapping
from pathlib import Path

import models
from models import Network
from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.command import error_message
from utils.networks.cost import milliseconds
from utils.networks.device import choose, deployed

Known = dict[tuple, dict[str, float]]  # by widths, what was measured


def note_times(file: Path, network: Path, teacher: Path, device: str, known: Known) -> None:
    """Write the milliseconds of a network and of its teacher, measured in turns.

    Networks of the same widths are measured once.

    Raises:
        InputError: one of them cannot be opened, or has no room.
    """
    opened = models.load(str(network))
    key = (teacher, device, opened.name, *_items(opened.plan), *_items(opened.structure))
    if key not in known:
        try:
            known[key] = _measured(opened, teacher, device)
        except RuntimeError as error:
            reason = error_message(error) or error
            raise InputError(f"{network}: cannot be timed ({reason})") from error
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(known[key]), encoding="utf-8")


def _measured(network: Network, teacher: Path, device: str) -> dict[str, float]:
    pair = (models.load(str(teacher)), network)
    times = milliseconds([deployed(one, choose(device)) for one in pair], runs=15)
    return dict(zip(("teacher", "network"), times, strict=True))


def _items(content: Mapping[str, object]) -> list[tuple[str, str]]:
    return sorted((key, str(value)) for key, value in content.items())
