"""One test of several segmentation networks on the same pictures: scores, costs, label maps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models import Network
from models.errors import InputError
from models.files.saving import fingerprint
from utils.cli.problems import naming
from utils.cli.progress import progress_bar
from utils.config.options import Config
from utils.data.voc.folders import VOC, Labelled, class_names, labelled
from utils.disk.lock import folder_lock
from utils.figures.sheet import scaled, write_sheet
from utils.images.labels import coloured, read_labels, write_labels
from utils.images.names import list_images
from utils.images.reading import check_same_size, read_image
from utils.metrics.iou import confusion, pixel_accuracy
from utils.networks import cost
from utils.networks.device import deployed, without_tf32
from utils.score.label_scores import LabelScores
from utils.score.output_folder import add_to_record, require_output
from utils.score.scores import LATENCY_SIDE
from utils.score.sheets import spread
from utils.tasks.segmentation import require_classes


def pictures_to_label(
    config: Config, networks: Mapping[str, Network], folder: Path | None = None
) -> tuple[Sequence[Labelled], Sequence[str]]:
    """The val list of the config's data set and its classes; or the pictures of a folder.

    Raises:
        InputError: they are not there, or a network tells other classes apart.
    """
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


@dataclass
class LabelTest:
    """What segmentation networks are tested on, and where results go.

    Args:
        pictures: without label maps, they are labelled and not scored.
        classes: their names.
        out: gets LABEL/NAME.png (label maps), LABEL.json, LABEL.csv, sheet.png.
    """

    pictures: Sequence[Labelled]
    classes: Sequence[str]
    device: torch.device
    out: Path

    @property
    def scored(self) -> bool:
        """Whether there is a truth."""
        return self.pictures[0].labels is not None

    def run(self, networks: Mapping[str, Network]) -> list[LabelScores]:
        """Label the pictures with each network; the scores where there is a truth.

        Raises:
            InputError: a file cannot be used; `out` holds what is read or files of others, or
                another process writes there.
        """
        require_output(self.out, networks, [file for one in self.pictures for file in one.files])
        ready = {label: deployed(network, self.device) for label, network in networks.items()}
        results = []
        with folder_lock(self.out, "scoring"):
            times = cost.milliseconds(list(ready.values()), LATENCY_SIDE)
            for (label, network), time in zip(networks.items(), times, strict=True):
                about = {
                    "parameters": cost.parameters(network),
                    "MACs_224": cost.macs(network, 224, 224),
                    "milliseconds_320": time,
                    "network": fingerprint(network),
                }
                add_to_record(self.out, label, {"network": about["network"]})
                scores = self._label_all(label, ready[label])
                if self.scored:
                    scores.about = about
                    scores.write(self.out)
                    results.append(scores)
            self._write_sheet(networks)
        return results

    def _label_all(self, label: str, network: Network) -> LabelScores:
        """Write the label maps of one network."""
        total = torch.zeros(len(self.classes), len(self.classes), dtype=torch.int64)
        rows = []
        for one in progress_bar(self.pictures, desc=label, unit="picture"):
            image = read_image(one.image)
            truth = read_labels(one.labels, len(self.classes)) if self.scored else None
            if truth is not None:
                check_same_size(one.image, image, one.labels, truth)
            with naming(one.image):
                labels = label_picture(network, image, self.device)
            write_labels(self._map(label, one), labels)
            row: dict = {"name": one.name}
            if truth is not None:
                counts = confusion(torch.from_numpy(labels), torch.from_numpy(truth), len(total))
                total += counts
                row["accuracy"] = pixel_accuracy(counts) if counts.any() else 1.0
            rows.append(row)
        return LabelScores(label, list(self.classes), total, rows)

    def _map(self, label: str, one: Labelled) -> Path:
        return self.out / label / f"{one.name}.png"

    def _write_sheet(self, labels: Iterable[str]) -> None:
        """Pictures spread evenly over the set: image, truth, what every network gives."""
        chosen = spread(self.pictures)
        columns = {"image": [scaled(read_image(one.image)) for one in chosen]}
        if self.scored:
            columns["truth"] = [self._shown(one.labels) for one in chosen]
        for label in labels:
            columns[label] = [self._shown(self._map(label, one)) for one in chosen]
        write_sheet(self.out / "sheet.png", columns)

    def _shown(self, path: Path) -> np.ndarray:
        return scaled(coloured(read_labels(path, len(self.classes))))


@torch.inference_mode()
@without_tf32()
def label_picture(network: Network, image: np.ndarray, device: torch.device) -> np.ndarray:
    """The class of each pixel, uint8 (H, W), of a whole picture, uint8 (H, W, 3), RGB."""
    pixels: Tensor = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
    return network(pixels)[0].argmax(0).byte().cpu().numpy()
