"""What a test of segmentation networks is asked for: pictures, and the names of classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from models import Network
from models.errors import InputError
from utils.config.options import Config
from utils.data.voc.folders import VOC, Labelled, class_names, labelled
from utils.images.listing import list_images
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
        told = ", ".join(f"{label} {count}" for label, count in counts.items())
        raise InputError(
            f"--label: the networks tell different classes ({told}); test one after the other"
        )
    count = next(iter(counts.values()))
    names = VOC if count == len(VOC) else tuple(f"class {index}" for index in range(count))
    found = list_images(folder)
    return [Labelled(name, path, None) for name, path in found.items()], names
