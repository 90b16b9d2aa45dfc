"""The task of segmentation: labelled pictures, cross entropy, mean intersection over union."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models import Network
from models.errors import InputError
from utils.config.options import Config
from utils.data.voc.samples import LabelSources, Sample
from utils.images.labels import NO_LABEL, coloured, palette
from utils.metrics.iou import confusion, mean_iou, pixel_accuracy


class LabelBatch(NamedTuple):
    """Image (N,3,H,W), float32 in [0, 1], and labels (N,H,W), int64, 255 for none."""

    image: Tensor
    labels: Tensor

    @property
    def inputs(self) -> tuple[Tensor]:
        return (self.image,)


class Segmentation:
    """A class for each pixel, on a data set in VOC's layout."""

    metric = "cross_entropy"

    def __init__(self, config: Config) -> None:
        self._config = config

    def sources(self) -> LabelSources:
        return LabelSources(self._config)

    def check(self, network: Network, sources: LabelSources) -> None:
        require_classes(network, sources.classes, self._config.data.dataset)

    def batch(
        self, sample: Sample, device: torch.device, layout: torch.memory_format
    ) -> LabelBatch:
        image, labels = (part.to(device, non_blocking=True) for part in sample)
        image = image.float().div_(255).contiguous(memory_format=layout)
        return LabelBatch(image, labels[:, 0].long())

    def count(self, batch: LabelBatch) -> Tensor:
        return (batch.labels != NO_LABEL).sum()

    def truth_terms(self, output: Tensor, batch: LabelBatch) -> dict[str, Tensor]:
        weight = self._config.loss.cross_entropy
        return {"cross_entropy": weight * cross_entropy(output, batch.labels)}

    def judges_auxiliary(self, network: Network) -> bool:
        return bool(network.structure.get("auxiliary"))

    def auxiliary_terms(self, output: Tensor, batch: LabelBatch) -> dict[str, Tensor]:
        terms = self.truth_terms(output, batch)
        return {"auxiliary": self._config.loss.auxiliary * sum(terms.values())}

    @property
    def imitates(self) -> bool:
        return self._config.loss.soft_targets > 0

    def teacher_terms(self, output: Tensor, target: Tensor, batch: LabelBatch) -> dict[str, Tensor]:
        options = self._config.loss
        distance = soft_target_loss(output, target, batch.labels, options.temperature)
        return {"soft_targets": options.soft_targets * distance}

    def scores(self, output: Tensor, batch: LabelBatch) -> dict[str, Tensor]:
        pairs = list(zip(output, batch.labels, strict=True))
        losses = [cross_entropy(scores[None], labels[None]) for scores, labels in pairs]
        counts = [confusion(scores.argmax(0), labels, len(scores)) for scores, labels in pairs]
        return {"cross_entropy": torch.stack(losses), "confusion": torch.stack(counts).double()}

    def summary(self, means: dict[str, Tensor]) -> dict[str, float]:
        counts = means["confusion"]
        return {
            "cross_entropy": means["cross_entropy"].item(),
            "mIoU": mean_iou(counts),
            "accuracy": pixel_accuracy(counts),
        }

    def pictures(self, output: Tensor, batch: LabelBatch) -> dict[str, Tensor]:
        colours = torch.from_numpy(palette()).to(output.device) / 255
        maps = {"truth": batch.labels, "found": output.argmax(1)}
        shown = {title: colours[labels].permute(0, 3, 1, 2) for title, labels in maps.items()}
        return {"image": batch.image, **shown}

    def shown(self, sample: Sample) -> dict[str, np.ndarray]:
        image, labels = (part.numpy() for part in sample)
        return {"image": image.transpose(1, 2, 0), "labels": coloured(labels[0])}


def require_classes(network: Network, classes: tuple[str, ...], dataset: str) -> None:
    """Raise an `InputError` where a network tells other classes apart than a data set has."""
    count = network.structure["classes"]
    if count != len(classes):
        raise InputError(
            f"data.dataset: {dataset} has {len(classes)} classes, but the network tells {count}; "
            f"train one with network.structure.classes={len(classes)}, or choose another data set"
        )


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean over the labelled pixels of -log of the probability of the true class.

    Args:
        scores: (N,classes,H,W), not normalised.
        labels: int64 (N,H,W); 255 for none.

    Returns:
        A scalar, zero if no pixel has a label; float32 (float64 if the scores are).
    """
    known = labels != NO_LABEL
    total = F.cross_entropy(_full(scores), labels, ignore_index=NO_LABEL, reduction="sum")
    return total / known.sum().clamp_min(1)


def soft_target_loss(
    scores: Tensor, target: Tensor, labels: Tensor, temperature: float = 1.0
) -> Tensor:
    """Mean over the labelled pixels of T^2 KL(softmax(target / T), softmax(scores / T)).

    Args:
        scores, target: (N,classes,H,W) of student and teacher, not normalised.
        labels: int64 (N,H,W); 255 for none.
        temperature: T; the factor T^2 keeps the gradients' size.

    Returns:
        A scalar, zero if no pixel has a label.

    Paper: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015; by pixel as
    Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR 2019.
    """
    ours = F.log_softmax(_full(scores) / temperature, 1)
    theirs = F.log_softmax(_full(target) / temperature, 1)
    divergence = F.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)
    known = labels != NO_LABEL
    return temperature**2 * (divergence * known).sum() / known.sum().clamp_min(1)


def _full(scores: Tensor) -> Tensor:
    """In float32 at least: half precision cannot add up a softmax of many classes."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
