"""Results replace only those of the same test: nothing that is read, and nothing of others."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from models.errors import InputError
from utils.data.voc.folders import Labelled
from utils.disk.regular import require_regular
from utils.score.pictures import Picture

SUFFIXES = (".json", ".csv", ".md", "_worst.png")  # of LABEL, beside LABEL.rows.jsonl


def origin(out: Path, pictures: Sequence[Picture | Labelled], method: Path | None = None) -> dict:
    """What a test is of, as its journal notes it: folders of pictures, and of mattes or a network.

    Relative to `out`, so that all may be moved together.
    """
    folders = {file.parent for one in pictures for file in one.seen}
    noted = {"pictures": sorted(_from(out, folder) for folder in folders)}
    return noted | ({"method": _from(out, method)} if method else {})


def require_own(
    out: Path, label: str, mattes: Path | None, of: dict, pictures: Sequence[Picture | Labelled]
) -> None:
    """Raise an `InputError` where results of `label` in `out` would replace what is not theirs.

    Args:
        mattes: the folder that mattes are written to, if they are.
        of: the `origin` of the test.
        pictures: what is read, where nothing may be written.
    """
    read = {file.parent.resolve() for one in pictures for file in one.files}
    for folder in (out, mattes):
        if folder and folder.resolve() in read:
            raise InputError(f"{folder}: pictures are read from there; choose another --out")
    journal = out / f"{label}.rows.jsonl"
    noted = _noted(journal)
    if noted is None:
        files = [out / f"{label}{suffix}" for suffix in SUFFIXES]
        if mattes and mattes.is_dir():
            files += sorted(path for path in mattes.iterdir() if path.suffix == ".png")
        if not any(out.glob("*.rows.jsonl")):
            files += sorted(out.glob("sheet*.png"))
        for path in (journal, *files):
            if os.path.lexists(path):
                raise InputError(f"{path}: was not left by test.py; choose another --out")
        return
    for kind, now in of.items():
        before = noted.get(kind, now)
        if before != now:
            told = ", ".join(before) if isinstance(before, list) else before
            raise InputError(
                f"{journal}: scores of other {kind} ({told}, seen from there); choose another "
                "--out, or move these away"
            )


def require_scores(path: Path | None) -> None:
    """Raise an `InputError` where a file that scores would replace holds something else."""
    if path is None or not path.is_file() or not path.stat().st_size:
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or "images" not in content:
        raise InputError(f"--json {path}: is there and holds no scores; name another file")


def _from(out: Path, path: Path) -> str:
    return os.path.relpath(path.resolve(), out.resolve())


def _noted(journal: Path) -> dict | None:
    """The `origin` in a journal, {} of one that noted none; None where there is no journal."""
    require_regular(journal)
    try:
        with journal.open(encoding="utf-8") as file:
            settings = json.loads(file.readline())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(settings, dict) or not {"of", "float", "region"} & settings.keys():
        return None
    of = settings.get("of", {})
    return of if isinstance(of, dict) else {}
