"""What an import that was killed has put into a data set, and goes when another one follows."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from models.files.atomic import atomic, remove_leftovers
from utils.disk.files import record

log = logging.getLogger(__name__)

NOTE = ".importing"
ANY = -1  # the size of what is not made yet


def begin(root: Path, source: Path, files: Mapping[Path, Path], made: bool = False) -> None:
    """Note what is put into `root` from `source`, before the first of it is.

    Args:
        files: {target: the file that it is, or is made of}; it keeps the time of that.
        made: the targets are made of these files, so that their sizes are others.
    """
    coming = {}
    for target, file in files.items():
        known = record(file)._replace(name=target.name)
        coming[target.relative_to(root).as_posix()] = str(
            known._replace(size=ANY) if made else known
        )
    noted = _read(root)
    before = noted["files"] if noted.get("source") == _identity(source) else {}
    with atomic(root / NOTE) as temporary:
        content = {"source": _identity(source), "files": {**before, **coming}}
        temporary.write_text(json.dumps(content), encoding="utf-8")


def end(root: Path) -> None:
    """All that was noted is there."""
    (root / NOTE).unlink(missing_ok=True)


def undo(root: Path, source: Path) -> None:
    """Remove what came into `root` from another source by an import that did not end.

    Of the same source, which goes on, it stays, but for files that are not whole; and so does what
    has changed since.
    """
    noted = _read(root)
    if not noted:
        return
    remove_leftovers(*(root / place for place in noted["files"]))
    if noted["source"] == _identity(source):
        return
    found = [root / place for place, known in noted["files"].items() if _is(root / place, known)]
    for path in found:
        path.unlink()
    end(root)
    log.warning(
        "%s: an import was interrupted; the %d files that it had brought are removed, since "
        "this one is of another source",
        *(root, len(found)),
    )


def _is(path: Path, known: str) -> bool:
    now = record(path)
    return now is not None and known in (str(now), str(now._replace(size=ANY)))


def _identity(source: Path) -> str:
    return f"{source.resolve()} {record(source)}"


def _read(root: Path) -> dict:
    try:
        noted = json.loads((root / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) and {"source", "files"} <= noted.keys() else {}
