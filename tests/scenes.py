"""Tiny data sets in VOC's layout, made where a test wants them."""

from pathlib import Path

import numpy as np

from tests.sets import picture
from utils.data.voc.folders import CLASSES, INSIDE, LABELS, LISTS, PICTURES
from utils.images.labels import write_labels
from utils.images.names import write_names
from utils.images.writing import write_image

NAMES = ("background", "bright", "dark")


def write_voc(root: Path, train: int = 6, val: int = 3, size: tuple[int, int] = (48, 56)) -> Path:
    """Pictures with a bright or dark square, and nothing told of its border."""
    folder = root / INSIDE
    for part, count in (("train", train), ("val", val)):
        names = [f"{part}_{index}" for index in range(count)]
        for index, name in enumerate(names):
            seed = index + 100 * (part == "val")
            image, labels = picture(seed, *size) // 2 + 64, np.zeros(size, np.uint8)
            top, left, kind = 4 + index, 6 + 2 * index, 1 + index % 2
            labels[top : top + 26, left : left + 26] = 255
            labels[top + 1 : top + 25, left + 1 : left + 25] = kind
            image[labels == kind] = (250, 250, 250) if kind == 1 else (5, 5, 5)
            write_image(folder / PICTURES / f"{name}.jpg", image)
            write_labels(folder / LABELS / f"{name}.png", labels)
        write_names(folder / LISTS / f"{part}.txt", names)
    write_names(folder / CLASSES, NAMES)
    return root
