"""One test of several segmentation networks on the same pictures: scores, costs, label maps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import Network
from models.errors import InputError
from utils.cli.files import folder_lock
from utils.cli.problems import naming
from utils.cli.progress import progress_bar
from utils.cli.table import table
from utils.config.options import Config
from utils.data.voc.folders import VOC, Labelled, class_names, labelled
from utils.figures.sheet import scaled, write_sheet
from utils.images.labels import coloured, read_labels, write_labels
from utils.images.names import list_images
from utils.images.reading import check_same_size, read_image
from utils.metrics.iou import class_iou, confusion, mean_iou, pixel_accuracy
from utils.networks.device import deployed, without_tf32
from utils.score.matting import costs
from utils.score.scores import (
    LATENCY_SIDE,
    cost_cells,
    record_settings,
    require_output,
    write_csv,
    write_json,
)
from utils.score.sheets import spread
from utils.tasks.segmentation import require_classes


@dataclass
class LabelScores:
    """Scores of one network: its confusion of classes, and what else is known of it."""

    label: str
    classes: list[str]
    counts: Tensor  # int64 (classes, classes): pixels of class i taken for class j
    images: list[dict]  # {"name":, "accuracy":}
    about: dict

    def by_class(self) -> dict[str, float]:
        """The intersection over union of each class; nan for one that is nowhere."""
        return dict(zip(self.classes, class_iou(self.counts).tolist(), strict=True))

    def means(self) -> dict[str, float]:
        return {"mIoU": mean_iou(self.counts), "accuracy": pixel_accuracy(self.counts)}

    def write(self, folder: Path) -> None:
        """LABEL.json, and LABEL.csv with one line a class."""
        self.write_json(folder / f"{self.label}.json")
        rows = [{"class": name, "IoU": value} for name, value in self.by_class().items()]
        write_csv(folder / f"{self.label}.csv", rows)

    def write_json(self, path: Path) -> None:
        """`{"mIoU":, "accuracy":, "classes": {name: IoU}, "images": [{"name":, "accuracy":}]}`."""
        about = {"label": self.label, **self.about, "classes": self.by_class()}
        write_json(path, {**self.means(), **about, "images": self.images})


def summary_by_class(results: Sequence[LabelScores]) -> str:
    """Two tables: the IoU of each class, then the means and what the networks cost."""
    by_class = [one.by_class() for one in results]
    rows = [(name, *(_percent(one[name]) for one in by_class)) for name in results[0].classes]
    header = ("network", "mIoU, %", "pixel accuracy, %", "parameters", "MACs 224")
    means = [
        (one.label, *map(_percent, one.means().values()), *cost_cells(one.about)) for one in results
    ]
    return "\n\n".join(
        [
            table(("IoU, %", *(one.label for one in results)), rows),
            table((*header, f"ms {LATENCY_SIDE}"), means),
        ]
    )


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.1f}"


def pictures_to_label(
    config: Config, networks: Mapping[str, Network], folder: Path | None = None
) -> tuple[Sequence[Labelled], Sequence[str]]:
    """The val list of the config's data set and its classes; or the pictures of a folder."""
    if folder is None:
        classes = class_names(config.data.folder)
        for network in networks.values():
            require_classes(network, classes, config.data.dataset)
        return labelled(config.data.folder, "val"), classes
    counts = {label: network.structure["classes"] for label, network in networks.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{label} {count}" for label, count in counts.items())
        raise InputError(
            f"--label: the networks tell different classes ({listed}); test one after the other"
        )
    count = next(iter(counts.values()))
    names = VOC if count == len(VOC) else tuple(f"class {index}" for index in range(count))
    return [Labelled(name, path, None) for name, path in list_images(folder).items()], names


def run_networks(
    networks: Mapping[str, Network],
    pictures: Sequence[Labelled],
    classes: Sequence[str],
    device: torch.device,
    out: Path,
) -> list[LabelScores]:
    """Label the pictures with each network; the scores where there is a truth.

    Writes out/LABEL/NAME.png (label maps), out/LABEL.json, .csv, and out/sheet.png.

    Args:
        pictures: without label maps, they are labelled and not scored.
    """
    require_output(out, networks, [file for one in pictures for file in one.files])
    ready = {label: deployed(network, device) for label, network in networks.items()}
    results = []
    with folder_lock(out, "scoring"):
        about = costs(networks, ready)
        for label in networks:
            record_settings(out, label, {"network": about[label]["network"]})
            counts, rows = _label_all(label, ready[label], pictures, len(classes), device, out)
            if pictures[0].labels:
                scores = LabelScores(label, list(classes), counts, rows, about[label])
                scores.write(out)
                results.append(scores)
        _write_sheet(out, pictures, list(networks), len(classes))
    return results


def _label_all(
    label: str,
    network: Network,
    pictures: Sequence[Labelled],
    classes: int,
    device: torch.device,
    out: Path,
) -> tuple[Tensor, list[dict]]:
    """Write the label maps of one network; the confusion of all pictures, and a row of each."""
    total, rows = torch.zeros(classes, classes, dtype=torch.int64), []
    for one in progress_bar(pictures, desc=label, unit="picture"):
        image = read_image(one.image)
        truth = read_labels(one.labels, classes) if one.labels else None
        if truth is not None:
            check_same_size(one.image, image, one.labels, truth)
        with naming(one.image):
            labels = label_picture(network, image, device)
        write_labels(out / label / f"{one.name}.png", labels)
        row: dict = {"name": one.name}
        if truth is not None:
            counts = confusion(torch.from_numpy(labels), torch.from_numpy(truth), classes)
            total += counts
            row["accuracy"] = pixel_accuracy(counts) if counts.any() else 1.0
        rows.append(row)
    return total, rows


def _write_sheet(out: Path, pictures: Sequence[Labelled], labels: list[str], classes: int) -> None:
    """Pictures spread evenly over the set: image, truth, what every network gives."""
    chosen = spread(pictures)
    maps = {label: [out / label / f"{one.name}.png" for one in chosen] for label in labels}
    if pictures[0].labels:
        maps = {"truth": [one.labels for one in chosen], **maps}
    columns = {"image": [scaled(read_image(one.image)) for one in chosen]}
    for title, files in maps.items():
        columns[title] = [scaled(coloured(read_labels(file, classes))) for file in files]
    write_sheet(out / "sheet.png", columns)


@torch.inference_mode()
@without_tf32()
def label_picture(network: Network, image: np.ndarray, device: torch.device) -> np.ndarray:
    """The class of each pixel, uint8 (H, W), of a whole picture, uint8 (H, W, 3), RGB."""
    pixels: Tensor = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
    return network(pixels)[0].argmax(0).byte().cpu().numpy()
