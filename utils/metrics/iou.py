"""Intersection over union of label maps: a confusion matrix, and the scores read off it.

Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2015: over all pixels of a
set, for each class, pixels of the class found right / pixels of the class or taken for it.
"""

import torch
from torch import Tensor

from utils.images.labels import NO_LABEL


def confusion(found: Tensor, labels: Tensor, classes: int) -> Tensor:
    """How many pixels of class i were taken for class j, int64 (classes, classes) at [i, j].

    Args:
        found, labels: whole numbers of the same shape; where `labels` is 255, nothing is counted.
    """
    known = labels != NO_LABEL
    pairs = labels[known].long() * classes + found[known].long()
    return torch.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_iou(counts: Tensor) -> Tensor:
    """The intersection over union of each class, (classes,); nan for one that is nowhere.

    Args:
        counts: a `confusion`, or a sum or a mean of several.
    """
    counts = counts.double()
    right = counts.diagonal()
    return right / (counts.sum(0) + counts.sum(1) - right)


def mean_iou(counts: Tensor) -> float:
    """The mean of `class_iou` over the classes that are somewhere."""
    return class_iou(counts).nanmean().item()


def pixel_accuracy(counts: Tensor) -> float:
    """The share of the pixels that were found right."""
    counts = counts.double()
    return (counts.diagonal().sum() / counts.sum()).item()
