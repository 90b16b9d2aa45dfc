"""The scores of one method on a test set, and the files that hold them."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from models.atomic import atomic
from utils.table import table

METRICS = ("SAD", "MSE", "Grad", "Conn")
LATENCY_SIDE = 320  # of the square picture by which networks are timed


@dataclass
class Scores:
    """Scores of one method: a row for each picture, and what else is known of it."""

    label: str
    images: list[dict] = field(default_factory=list)
    about: dict = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """The mean of each metric over the pictures where it is defined."""
        columns = {m: [row[m] for row in self.images if not math.isnan(row[m])] for m in METRICS}
        return {m: fmean(values) if values else math.nan for m, values in columns.items()}

    def cells(self) -> list[str]:
        """The label and the means as tables show them."""
        means = self.means().items()
        return [self.label, *(f"{v:.4f}" if m == "MSE" else f"{v:.2f}" for m, v in means)]

    def markdown(self) -> str:
        """The row of a table of methods: `| label | SAD | MSE | Grad | Conn |`."""
        return f"| {' | '.join(self.cells())} |"

    def write(self, folder: Path) -> None:
        """LABEL.json, LABEL.csv and LABEL.md."""
        self.write_json(folder / f"{self.label}.json")
        self.write_csv(folder / f"{self.label}.csv")
        with atomic(folder / f"{self.label}.md") as temporary:
            temporary.write_text(self.markdown() + "\n", encoding="utf-8")

    def write_json(self, path: Path) -> None:
        """`{"SAD":, "MSE":, "Grad":, "Conn":, "images": [{"name":, ...}]}`; undefined is null."""
        content = {**self.means(), "label": self.label, **self.about, "images": self.images}
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(_without_nan(content), indent=1), encoding="utf-8")

    def write_csv(self, path: Path) -> None:
        """One line a picture."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(self.images[0]))
        writer.writeheader()
        writer.writerows(self.images)
        with atomic(path) as temporary:
            temporary.write_text(buffer.getvalue(), encoding="utf-8")


def full_label(label: str, trimaps: str) -> str:
    """LABEL, or LABEL-TRIMAPS in a set of several kinds of trimaps."""
    return f"{label}-{trimaps}" if trimaps else label


def summary(results: Sequence[Scores]) -> str:
    """The table of the means and, for networks, of what they cost."""
    header = ["network", *METRICS]
    rows = [result.cells() for result in results]
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
    return table(header, rows)


def _without_nan(content: object) -> object:
    """JSON knows no nan."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content
