"""The scores of one method on a test set, and the files that hold them."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from models.files.atomic import atomic
from utils.cli.table import escaped, table

METRICS = ("SAD", "MSE", "Grad", "Conn")
REGIONS = {"unknown": "unknown region", "all": "whole picture"}  # over which they are taken
FLOOR = "floor"  # label of the trimap that is filled by distance, see `utils.score.floor`
LATENCY_SIDE = 320  # of the square picture by which networks are timed


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
        lines = io.StringIO()
        writer = csv.DictWriter(lines, list(self.images[0]))
        writer.writeheader()
        writer.writerows(self.images)
        for suffix, text in ((".csv", lines.getvalue()), (".md", self.markdown() + "\n")):
            with atomic(folder / f"{self.label}{suffix}") as temporary:
                temporary.write_text(text, encoding="utf-8")

    def write_json(self, path: Path) -> None:
        """`{"SAD":, "MSE":, "Grad":, "Conn":, "images": [{"name":, ...}]}`; undefined is null."""
        floor = {"floor": self.floor.means()} if self.floor else {}
        content = {**self.means(), "label": self.label, **self.about, **floor}
        content["images"] = self.images
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(_without_nan(content), indent=1), encoding="utf-8")


def full_label(label: str, trimaps: str) -> str:
    """LABEL, or LABEL-TRIMAPS in a set of several kinds of trimaps."""
    return f"{label}-{trimaps}" if trimaps else label


def summary(results: Sequence[Scores]) -> str:
    """The table of the means and, for networks, of what they cost.

    Its head names the region. The floors stand above what they are floors of.
    """
    header = [f"network, {REGIONS[results[0].about.get('region', 'unknown')]}", *METRICS]
    rows = []
    for result in results:
        label, *values = result.cells()
        rows.append([label if result.learnt else f"{label}, no better than the floor", *values])
    if all("parameters" in r.about for r in results):
        header += ["parameters", "MACs 224", "MACs/picture", f"ms {LATENCY_SIDE}"]
        for row, r in zip(rows, results, strict=True):
            picture = sum(image["MACs"] for image in r.images) / len(r.images)
            row += [
                f"{r.about['parameters']:,}",
                f"{r.about['MACs_224'] / 1e9:.2f} G",
                f"{picture / 1e9:.1f} G",
                f"{r.about['milliseconds_320']:.1f}",
            ]
    floors = {result.floor.label: result.floor for result in results if result.floor}
    blank = [""] * (len(header) - 1 - len(METRICS))
    return table(header, [*([*floor.cells(), *blank] for floor in floors.values()), *rows])


def remarks(results: Sequence[Scores]) -> list[str]:
    """What a reader of `summary` must know of it, in sentences."""
    rules = {rule: None for r in results if (rule := r.about.get("trimaps"))}
    lines = [f"trimaps: {rule} (pixels around each change of it)" for rule in rules]
    if any(result.floor for result in results):
        lines.append(f"{FLOOR}: the unknown region filled by distance, without the photograph")
    lost = [result.label for result in results if not result.learnt]
    if lost:
        lines.append(f"{', '.join(lost)}: no better, so nothing was learnt of the photographs")
    return lines


def _without_nan(content: object) -> object:
    """JSON knows no nan."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
