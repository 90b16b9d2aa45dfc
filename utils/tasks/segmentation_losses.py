"""Losses of class scores, over the pixels that have a label."""

import torch
from torch import Tensor
from torch.nn import functional as F

from utils.images.labels import NO_LABEL


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
