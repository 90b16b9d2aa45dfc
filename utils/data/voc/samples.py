"""Labelled pictures to train on: scaled, turned, flipped and cropped at random, in one step."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from utils.config.options import AugmentConfig, Config
from utils.data.augment import degraded, jitter
from utils.data.crops.view import View, resizing, sample_view
from utils.data.samples import Failures, SampleResult, Subset, first_usable, planes, short
from utils.data.voc.folders import Labelled, class_names, labelled, read_labelled
from utils.images.labels import NO_LABEL

TRAINING, VALIDATION = 4, 5  # keep the draws apart from each other and from those of matting
AROUND = 116  # grey beyond a picture's border: the mean of ImageNet's, and nearly so by channel
AS_IT_IS = AugmentConfig(flip=False, jitter=0.0, scales=(1.0, 1.0))


class Sample(NamedTuple):
    """uint8 tensors: image (3,H,W) RGB, labels (1,H,W), 255 for none."""

    image: Tensor
    labels: Tensor


class LabelSet(Dataset):
    """Samples by (epoch, index): `index` is the picture, the rest is drawn.

    The random draws of a sample come from the seed, the epoch and the index alone. A picture that
    cannot be used is replaced by another, drawn.

    Args:
        pictures: what an epoch is made of.
        classes: labels from there on, but for 255, are errors.
        crop: side of a sample; what lies beyond a picture has no label.
        augment: what is changed at random; None for validation, which sees the middle.
        seed: of all draws.
    """

    members = 1

    def __init__(
        self,
        pictures: Sequence[Labelled],
        classes: int,
        crop: int,
        augment: AugmentConfig | None,
        seed: int,
    ) -> None:
        self._pictures, self._classes, self._crop, self._seed = pictures, classes, crop, seed
        self._augment = augment or AS_IT_IS
        self._kind = VALIDATION if augment is None else TRAINING

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, key: tuple[int, int]) -> SampleResult:
        epoch, index = key
        rng = np.random.default_rng([self._kind, self._seed, epoch, index])
        problems: list[str] = []
        read = partial(read_labelled, classes=self._classes)
        image, labels = first_usable(self._pictures[index], self._pictures, read, rng, problems)
        view = self._view(labels.shape, rng)
        image = sample_view(image, view, border=AROUND)
        labels = sample_view(labels, view, cv2.INTER_NEAREST, border=NO_LABEL)
        image = degraded(jitter(image, self._augment.jitter, rng), self._augment, rng)
        flipped = self._augment.flip and rng.random() < 0.5
        return SampleResult(Sample(*planes([image, labels], flipped)), tuple(problems))

    def _view(self, size: tuple[int, int], rng: np.random.Generator) -> View:
        augment = self._augment
        scale = rng.uniform(*augment.scales)
        turned = augment.rotate and rng.random() < 0.5
        degrees = rng.uniform(-augment.rotate, augment.rotate) if turned else 0.0
        canvas = tuple(max(1, round(scale * side)) for side in size)
        starts = [self._start(side, rng) for side in canvas]
        return crop_view(size, canvas, degrees, starts, self._crop)

    def _start(self, side: int, rng: np.random.Generator) -> int:
        """Where a crop begins: anywhere inside, or so that the picture is in its middle."""
        left = side - self._crop
        if left <= 0 or self._kind == VALIDATION:
            return left // 2
        return int(rng.integers(left + 1))


class LabelSources:
    """The data of a config: it trains on the set's training list and validates on its val list.

    Raises:
        InputError: no data, no lists, or names in them without files.
    """

    def __init__(self, config: Config) -> None:
        root = config.data.folder
        self.config = config
        self.classes = class_names(root)
        self._pictures = {"train": labelled(root, "train"), "valid": labelled(root, "val")}
        self.failures = Failures(sum(map(len, self._pictures.values())))

    def identity(self) -> dict[str, str]:
        """A short text for each of what samples are made of.

        A picture is taken for the same by its name and the size in bytes of its label map.
        """
        content = {
            f"list of pictures that {subset}": [
                (one.name, one.labels.stat().st_size) for one in pictures
            ]
            for subset, pictures in self._pictures.items()
        }
        return {"set of classes": short(self.classes)} | {k: short(v) for k, v in content.items()}

    def samples(self, subset: Subset) -> LabelSet:
        """The samples that train, or the same crops each time of those that validate."""
        config = self.config
        augment = config.augment if subset == "train" else None
        pictures = self._pictures[subset]
        return LabelSet(pictures, len(self.classes), config.data.crop, augment, config.seed)


def crop_view(
    size: tuple[int, int],
    canvas: tuple[int, int],
    degrees: float,
    starts: Sequence[int],
    crop: int,
) -> View:
    """The view of a square of a picture that was resized and then turned about its centre.

    Args:
        size: (height, width) of the picture.
        canvas: (height, width) to which it is resized.
        degrees: by which it is turned.
        starts: row and column of the canvas at which the square begins.
        crop: the square's side.
    """
    (height, width), (top, left) = canvas, starts
    back = resizing(width, height, size[1], size[0])
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    turn = np.array(
        [
            [cos, -sin, centre_x - cos * centre_x + sin * centre_y],
            [sin, cos, centre_y - sin * centre_x - cos * centre_y],
            [0, 0, 1],
        ]
    )
    shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
    window = slice(top, top + crop), slice(left, left + crop)
    return View(canvas, window, crop, (back @ turn @ shift)[:2])
