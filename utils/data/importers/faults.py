"""Everything that is wrong with a source, said at once instead of one fault for each run."""

import logging
from collections.abc import Sequence
from pathlib import Path

from models.errors import InputError

log = logging.getLogger(__name__)

SHOWN = 3  # in the one line; all of them are logged


def refuse(source: Path, faults: Sequence[str]) -> None:
    """Raise an `InputError` that names `source`, the first faults and their number, if any.

    Where the line cannot hold them all, each is logged before.
    """
    if not faults:
        return
    more = ""
    if len(faults) > SHOWN:
        for fault in faults:
            log.error("%s: %s", source, fault)
        more = f"; and {len(faults) - SHOWN} more, all {len(faults)} are listed above"
    raise InputError(
        f"{source}: {'; '.join(faults[:SHOWN])}{more}; nothing was changed, mend this and run again"
    )
