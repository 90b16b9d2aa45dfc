"""One test of several segmentation networks on the same pictures: scores, costs, label maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import Network
from models.files.saving import fingerprint
from utils.cli.problems import naming
from utils.cli.progress import progress_bar
from utils.data.voc.folders import Labelled
from utils.disk.lock import alone
from utils.figures.sheet import scaled, write_sheet
from utils.images.labels import coloured, read_labels, write_labels
from utils.images.reading import read_image
from utils.images.sizes import check_same_size
from utils.metrics.iou import confusion, pixel_accuracy
from utils.networks import cost
from utils.networks.device import deployed, without_tf32
from utils.score.journal import Journal
from utils.score.label_scores import LabelScores
from utils.score.owned import origin, require_own
from utils.score.scores import LATENCY_SIDE

SHEET_ROWS = 8


@dataclass
class LabelTest:
    """What segmentation networks are tested on, and where results go.

    Args:
        pictures: without label maps, they are labelled and not scored.
        classes: their names.
        out: gets LABEL/NAME.png (label maps), LABEL.json, LABEL.csv, LABEL.rows.jsonl, sheet.png.
        files: where each network comes from, by its label, where that tells tests apart.
    """

    pictures: Sequence[Labelled]
    classes: Sequence[str]
    device: torch.device
    out: Path
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def scored(self) -> bool:
        """Whether there is a truth."""
        return self.pictures[0].labels is not None

    def run(self, networks: Mapping[str, Network]) -> list[LabelScores]:
        """Label the pictures with each network; the scores where there is a truth.

        Raises:
            InputError: a file cannot be used; results of another test, or what is read, are in
                `out`; another process writes there.
        """
        of = {}
        for label in networks:
            method = Path(self.files[label]) if label in self.files else None
            of[label] = origin(self.out, self.pictures, method)
            require_own(self.out, label, self.out / label, of[label], self.pictures)
        ready = {label: deployed(network, self.device) for label, network in networks.items()}
        results = []
        with alone(self.out, "scoring"):
            times = cost.milliseconds(list(ready.values()), LATENCY_SIDE)
            for (label, network), time in zip(networks.items(), times, strict=True):
                about = {
                    "parameters": cost.parameters(network),
                    "MACs_224": cost.macs(network, 224, 224),
                    "milliseconds_320": time,
                    "network": fingerprint(network),
                }
                found = self._run(label, ready[label], {"of": of[label]})
                if self.scored:
                    found.about = about
                    found.write(self.out)
                    results.append(found)
            self._sheet(list(networks))
        return results

    def _run(self, label: str, network: Network, settings: dict) -> LabelScores:
        """Write the label maps of one network."""
        sources = {one.name: [*one.files, self._map(label, one)] for one in self.pictures}
        journal = Journal(self.out / f"{label}.rows.jsonl", settings, sources)
        total = torch.zeros(len(self.classes), len(self.classes), dtype=torch.int64)
        for one in progress_bar(self.pictures, desc=label, unit="picture"):
            image = read_image(one.image)
            truth = read_labels(one.labels, len(self.classes)) if self.scored else None
            if truth is not None:
                check_same_size(one.image, image, one.labels, truth)
            with naming(one.image):
                found = label_picture(network, image, self.device)
            write_labels(self._map(label, one), found)
            row: dict = {"name": one.name}
            if truth is not None:
                counts = confusion(torch.from_numpy(found), torch.from_numpy(truth), len(total))
                total += counts
                row["accuracy"] = pixel_accuracy(counts) if counts.any() else 1.0
            journal.add(row)
        return LabelScores(label, list(self.classes), total, list(journal.rows.values()))

    def _map(self, label: str, one: Labelled) -> Path:
        return self.out / label / f"{one.name}.png"

    def _sheet(self, labels: Sequence[str]) -> None:
        """Pictures spread evenly over the set: image, truth, what every network found."""
        step = max(1, len(self.pictures) // SHEET_ROWS)
        chosen = self.pictures[::step][:SHEET_ROWS]
        columns = {"image": [read_image(one.image) for one in chosen]}
        if self.scored:
            columns["truth"] = [self._shown(one.labels) for one in chosen]
        for label in labels:
            columns[label] = [self._shown(self._map(label, one)) for one in chosen]
        columns = {title: [scaled(cell) for cell in column] for title, column in columns.items()}
        write_sheet(self.out / "sheet.png", columns)

    def _shown(self, path: Path) -> np.ndarray:
        return coloured(read_labels(path, len(self.classes)))


@torch.inference_mode()
@without_tf32()
def label_picture(network: Network, image: np.ndarray, device: torch.device) -> np.ndarray:
    """The class of each pixel, uint8 (H, W), of a whole picture, uint8 (H, W, 3), RGB."""
    pixels: Tensor = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
    return network(pixels)[0].argmax(0).byte().cpu().numpy()
