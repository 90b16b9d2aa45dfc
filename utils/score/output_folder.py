"""The folder that a test writes into: its own, where it replaces what an earlier test has left."""

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import yaml

from models.errors import InputError
from models.files.atomic import atomic

log = logging.getLogger(__name__)

RECORD = "test.yaml"  # by label, what decides its mattes
SUFFIXES = ("", ".json", ".csv", ".md", "_worst.png")  # of a label: its mattes, scores and sheet


def require_output(out: Path, labels: Iterable[str], files: Iterable[Path]) -> None:
    """Raise an `InputError` where a test would write beside what it reads, or over other files.

    Args:
        labels: whose results are written.
        files: what is read.
    """
    for folder in {file.parent for file in files}:
        if out.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise InputError(f"{out}: {folder} is read and lies in it; choose another --out")
    if (out / RECORD).is_file() or any(out.glob("*.rows.jsonl")):  # which older versions left
        return
    results = [out / f"{label}{suffix}" for label in labels for suffix in SUFFIXES]
    for path in (*results, *sorted(out.glob("sheet*.png"))):
        if os.path.lexists(path):
            raise InputError(f"{path}: was not left by test.py; choose another --out")


def read_record(out: Path) -> dict[str, dict]:
    """What an earlier test has recorded; empty where there is none."""
    try:
        content = yaml.safe_load((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def add_to_record(out: Path, label: str, settings: dict) -> None:
    """Record what decides the mattes of a label, beside what is recorded of others."""
    with atomic(out / RECORD) as temporary:
        content = read_record(out) | {label: settings}
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def keep_mattes(
    out: Path, label: str, settings: dict, mattes: Iterable[Path], resume: bool
) -> bool:
    """Whether mattes of an earlier test with these `settings` are kept; others are removed."""
    before = read_record(out).get(label)
    keep = resume and before == settings
    if resume and before and not keep:
        log.info("%s: mattes of another network or with other options; made again", out / label)
    if not keep:
        for matte in mattes:
            matte.unlink(missing_ok=True)
    add_to_record(out, label, settings)
    return keep


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
