"""VOC's layout on disk, as torchvision reads it: lists of names, pictures and label maps."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from models.errors import InputError
from utils.cli.problems import refuse
from utils.images.labels import read_labels
from utils.images.names import read_names
from utils.images.reading import check_same_size, read_image

INSIDE = Path("VOCdevkit/VOC2012")
LISTS = Path("ImageSets/Segmentation")
PICTURES, LABELS = "JPEGImages", "SegmentationClass"
AUGMENTED, AUGMENTED_LABELS = "train_aug.txt", "SegmentationClassAug"
CLASSES = "classes.txt"  # the names of a set's classes, in order; VOC has no such file
VOC = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant"),
    *("sheep", "sofa", "train", "tv monitor"),
)
CURE = (
    "unpack VOCtrainval_11-May-2012.tar in {root}, or render a set with pre_process.py "
    "--dataset sample_voc"
)

Part = Literal["train", "val"]


class Labelled(NamedTuple):
    """A picture and its label map, None where it has none."""

    name: str
    image: Path
    labels: Path | None

    @property
    def files(self) -> list[Path]:
        """Those that there are."""
        return [self.image] if self.labels is None else [self.image, self.labels]


def is_voc(root: Path | str) -> bool:
    """Whether a data set is in this layout."""
    return (Path(root) / INSIDE).is_dir()


def folder_of(root: Path | str) -> Path:
    """The folder of a data set that holds its lists, pictures and label maps.

    Raises:
        InputError: there is none.
    """
    if not is_voc(root):
        raise InputError(f"{Path(root) / INSIDE}: no such folder; {CURE.format(root=root)}")
    return Path(root) / INSIDE


def class_names(root: Path | str) -> tuple[str, ...]:
    """The names of a data set's classes: those in its classes.txt, else VOC's."""
    path = folder_of(root) / CLASSES
    return tuple(read_names(path)) if path.exists() else VOC


def labelled(root: Path | str, part: Part) -> list[Labelled]:
    """The pictures of a part in the order of its list.

    To train on, the augmented list of 10,582 pictures is taken where it is there. A line is a name,
    or both files: "/JPEGImages/x.jpg /SegmentationClassAug/x.png".

    Raises:
        InputError: no list, or names in it without a picture or a label map.
    """
    folder = folder_of(root)
    path, labels = folder / LISTS / f"{part}.txt", LABELS
    if part == "train" and (folder / LISTS / AUGMENTED).exists():
        path, labels = folder / LISTS / AUGMENTED, AUGMENTED_LABELS
    if not path.exists():
        raise InputError(f"{path}: no such list; {CURE.format(root=root)}")
    found = list(dict.fromkeys(_entry(line, folder, labels) for line in read_names(path)))
    refuse(
        [
            f"{path}: lists {one.name}, but there is no {file}; add it, or remove the line"
            for one in found
            for file in one.files
            if not file.exists()
        ]
    )
    return found


def read_labelled(one: Labelled, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture, uint8 (H, W, 3), and its labels, uint8 (H, W).

    Raises:
        InputError: one of them cannot be used, or they differ in size.
    """
    image, labels = read_image(one.image), read_labels(one.labels, classes)
    check_same_size(one.image, image, one.labels, labels)
    return image, labels


def _entry(line: str, folder: Path, labels: str) -> Labelled:
    first, *rest = line.split()
    if not first.endswith(".jpg"):
        return Labelled(line, folder / PICTURES / f"{line}.jpg", folder / labels / f"{line}.png")
    image = Path(first)
    label = Path(rest[0]) if rest else Path(f"{image.stem}.png")
    return Labelled(
        image.stem,
        folder / (image.parent.name or PICTURES) / image.name,
        folder / (label.parent.name or labels) / label.name,
    )
