"""The scores of one segmentation network on a test set, and the files that hold them."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from models.files.atomic import atomic
from utils.cli.table import table
from utils.metrics.iou import class_iou, mean_iou, pixel_accuracy
from utils.score.scores import LATENCY_SIDE


@dataclass
class LabelScores:
    """Scores of one network: its confusion of classes, and what else is known of it."""

    label: str
    classes: list[str]
    counts: Tensor  # int64 (classes, classes): pixels of class i taken for class j
    images: list[dict] = field(default_factory=list)
    about: dict = field(default_factory=dict)

    def by_class(self) -> dict[str, float]:
        """The intersection over union of each class; nan for one that is nowhere."""
        return dict(zip(self.classes, class_iou(self.counts).tolist(), strict=True))

    def means(self) -> dict[str, float]:
        return {"mIoU": mean_iou(self.counts), "accuracy": pixel_accuracy(self.counts)}

    def write(self, folder: Path) -> None:
        """LABEL.json, and LABEL.csv with one line a class."""
        self.write_json(folder / f"{self.label}.json")
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerows([("class", "IoU"), *self.by_class().items()])
        with atomic(folder / f"{self.label}.csv") as temporary:
            temporary.write_text(buffer.getvalue(), encoding="utf-8")

    def write_json(self, path: Path) -> None:
        """`{"mIoU":, "accuracy":, "classes": {name: IoU}, "images": [{"name":, "accuracy":}]}`."""
        classes = {k: None if math.isnan(v) else v for k, v in self.by_class().items()}
        content = {**self.means(), "label": self.label, **self.about, "classes": classes}
        content["images"] = self.images
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def summary_by_class(results: Sequence[LabelScores]) -> str:
    """Two tables: the IoU of each class, then the means and what the networks cost."""
    by_class = [one.by_class() for one in results]
    rows = [(name, *(_percent(one[name]) for one in by_class)) for name in results[0].classes]
    costs = [
        (
            one.label,
            *map(_percent, one.means().values()),
            f"{one.about['parameters']:,}",
            f"{one.about['MACs_224'] / 1e9:.2f} G",
            f"{one.about['milliseconds_320']:.1f}",
        )
        for one in results
    ]
    costs_of = ("parameters", "MACs 224", f"ms {LATENCY_SIDE}")
    return "\n\n".join(
        [
            table(("IoU, %", *(one.label for one in results)), rows),
            table(("network", "mIoU, %", "pixel accuracy, %", *costs_of), costs),
        ]
    )


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.1f}"
