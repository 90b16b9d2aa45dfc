"""The scores of one method on a test set, the files that hold them, and the folder of these files.

A test writes into a folder of its own and replaces there what an earlier test has left.
"""

import csv
import io
import json
import logging
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import yaml

from models.errors import InputError
from models.files.atomic import atomic
from utils.cli.table import escaped, table

log = logging.getLogger(__name__)

METRICS = ("SAD", "MSE", "Grad", "Conn")
REGIONS = {"unknown": "unknown region", "all": "whole picture"}  # over which they are taken
FLOOR = "floor"  # label of the trimap that is filled by distance
LATENCY_SIDE = 320  # of the square picture by which networks are timed
RECORD = "test.yaml"  # by label, what decides its mattes
SUFFIXES = ("", ".json", ".csv", ".md", "_worst.png")  # of a label: its mattes, scores and sheet


@dataclass
class Scores:
    """Scores of one method: a row for each picture, and what else is known of it."""

    label: str
    images: list[dict] = field(default_factory=list)
    about: dict = field(default_factory=dict)
    floor: "Scores | None" = None  # of the same pictures

    def means(self) -> dict[str, float]:
        """The mean of each metric over the pictures where it is defined."""
        columns = {m: [row[m] for row in self.images if not math.isnan(row[m])] for m in METRICS}
        return {m: fmean(values) if values else math.nan for m, values in columns.items()}

    def cells(self) -> list[str]:
        """The label and the means as tables show them."""
        means = self.means().items()
        return [self.label, *(f"{v:.4f}" if m == "MSE" else f"{v:.2f}" for m, v in means)]

    @property
    def learnt(self) -> bool:
        """Whether the SAD is below that of the floor: else the photographs were of no use."""
        return self.floor is None or not self.means()["SAD"] >= self.floor.means()["SAD"]

    def markdown(self) -> str:
        """The row of a table of methods: `| label | SAD | MSE | Grad | Conn |`."""
        label, *values = self.cells()
        if self.about.get("region") == "all":
            label += f", {REGIONS['all']}"
        return f"| {' | '.join([escaped(label), *values])} |"

    def write(self, folder: Path) -> None:
        """LABEL.json; LABEL.csv, one line a picture; LABEL.md, the row of a table of methods."""
        self.write_json(folder / f"{self.label}.json")
        write_csv(folder / f"{self.label}.csv", self.images)
        _write(folder / f"{self.label}.md", self.markdown() + "\n")

    def write_json(self, path: Path) -> None:
        """`{"SAD":, "MSE":, "Grad":, "Conn":, "images": [{"name":, ...}]}`; undefined is null."""
        floor = {"floor": self.floor.means()} if self.floor else {}
        content = {**self.means(), "label": self.label, **self.about, **floor}
        write_json(path, {**content, "images": self.images})


def full_label(label: str, trimaps: str) -> str:
    """LABEL, or LABEL-TRIMAPS in a set of several kinds of trimaps."""
    return f"{label}-{trimaps}" if trimaps else label


def summary(results: Sequence[Scores]) -> str:
    """The table of the means and, for networks, of what they cost; above it, what to know of it.

    Its head names the region. The floors stand above what they are floors of.
    """
    rules = dict.fromkeys(rule for r in results if (rule := r.about.get("trimaps")))
    lines = [f"trimaps: {rule} (pixels around each change of it)" for rule in rules]
    if any(result.floor for result in results):
        lines.append(f"{FLOOR}: the unknown region filled by distance, without the photograph")
    lost = [result.label for result in results if not result.learnt]
    if lost:
        lines.append(f"{', '.join(lost)}: no better, so nothing was learnt of the photographs")

    header = [f"network, {REGIONS[results[0].about.get('region', 'unknown')]}", *METRICS]
    rows = []
    for result in results:
        label, *values = result.cells()
        rows.append([label if result.learnt else f"{label}, no better than the floor", *values])
    if all("parameters" in r.about for r in results):
        header += ["parameters", "MACs 224", "MACs/picture", f"ms {LATENCY_SIDE}"]
        for row, r in zip(rows, results, strict=True):
            parameters, macs, time = cost_cells(r.about)
            picture = sum(image["MACs"] for image in r.images) / len(r.images)
            row += [parameters, macs, f"{picture / 1e9:.1f} G", time]
    floors = {result.floor.label: result.floor for result in results if result.floor}
    blank = [""] * (len(header) - 1 - len(METRICS))
    rows = [*([*floor.cells(), *blank] for floor in floors.values()), *rows]
    return "\n".join([*lines, table(header, rows)])


def cost_cells(about: dict) -> list[str]:
    """Parameters, MACs and milliseconds of a network as tables show them."""
    macs, time = about["MACs_224"], about["milliseconds_320"]
    return [f"{about['parameters']:,}", f"{macs / 1e9:.2f} G", f"{time:.1f}"]


def write_json(path: Path, content: dict) -> None:
    """Write plain data as JSON; nan, which JSON does not know, as null."""
    _write(path, json.dumps(_without_nan(content), indent=1))


def write_csv(path: Path, rows: Sequence[dict]) -> None:
    """Write rows of the same keys as CSV."""
    lines = io.StringIO()
    writer = csv.DictWriter(lines, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    _write(path, lines.getvalue())


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _without_nan(content: object) -> object:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content


def require_output(out: Path, labels: Iterable[str], files: Iterable[Path]) -> None:
    """Raise an `InputError` where a test would write beside what it reads, or over other files.

    Args:
        labels: whose results are written.
        files: what is read.
    """
    for folder in {file.parent for file in files}:
        if out.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise InputError(f"{out}: {folder} is read and lies in it; choose another --out")
    if (out / RECORD).is_file():
        return
    results = [out / f"{label}{suffix}" for label in labels for suffix in SUFFIXES]
    for path in (*results, *sorted(out.glob("sheet*.png"))):
        if os.path.lexists(path):
            raise InputError(f"{path}: was not left by test.py; choose another --out")


def record_settings(
    out: Path, label: str, settings: dict, mattes: Iterable[Path] = (), resume: bool = False
) -> bool:
    """Record what decides the mattes of a label; whether those of an earlier test are kept.

    They are with `resume`, if their settings were the same; else they are removed.
    """
    record = out / RECORD
    records = yaml.safe_load(record.read_text(encoding="utf-8")) if record.is_file() else {}
    keep = resume and records.get(label) == settings
    if resume and label in records and not keep:
        log.info("%s: mattes of another network or with other options; made again", out / label)
    if not keep:
        for matte in mattes:
            matte.unlink(missing_ok=True)
    _write(record, yaml.safe_dump(records | {label: settings}, sort_keys=False))
    return keep
