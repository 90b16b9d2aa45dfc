"""The task of segmentation: its losses against plain second forms, mIoU worked out by hand."""

import math

import numpy as np
import pytest
import torch

import models
from models.errors import InputError
from utils import config as configs
from utils.metrics.iou import class_iou, confusion, mean_iou, pixel_accuracy
from utils.tasks.segmentation import LabelBatch, Segmentation, cross_entropy, soft_target_loss
from utils.train.objective import Objective

STRUCTURE = {"blocks": [1, 1, 1, 1], "classes": 3}
CONFIG = configs.load(None, ["distill.stages=[layer2,layer4]", "distill.types=[spatial]"])


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores of student and teacher (2,3,4,5), and labels of which some are 255."""
    generator = torch.Generator().manual_seed(seed)
    ours, theirs = torch.randn(2, 2, 3, 4, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (2, 4, 5), generator=generator)
    labels[0, :2] = 255
    return 2 * ours, 2 * theirs, labels


def softmax(scores: list[float]) -> list[float]:
    exponentials = [math.exp(score) for score in scores]
    return [one / sum(exponentials) for one in exponentials]


def pixels(labels: torch.Tensor):
    """(n, y, x) of every pixel that has a label."""
    return [place for place in np.ndindex(*labels.shape) if labels[place] != 255]


def test_cross_entropy_is_the_plain_mean_over_labelled_pixels():
    scores, _, labels = drawn()
    each = []
    for n, y, x in pixels(labels):
        each.append(-math.log(softmax(scores[n, :, y, x].tolist())[labels[n, y, x]]))
    assert cross_entropy(scores, labels).item() == pytest.approx(sum(each) / len(each), rel=1e-12)
    assert len(each) == 30


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_targets_are_the_plain_divergence(temperature):
    scores, wanted, labels = drawn()
    total = 0.0
    for n, y, x in pixels(labels):
        p = softmax([score / temperature for score in wanted[n, :, y, x].tolist()])
        q = softmax([score / temperature for score in scores[n, :, y, x].tolist()])
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    expected = temperature**2 * total / len(pixels(labels))
    got = soft_target_loss(scores, wanted, labels, temperature).item()
    assert got == pytest.approx(expected, rel=1e-12)
    assert soft_target_loss(wanted, wanted, labels, temperature).item() == pytest.approx(0)


def test_pixels_without_a_label_have_no_gradient_and_none_at_all_is_zero():
    scores, wanted, labels = drawn()
    scores.requires_grad_()
    (cross_entropy(scores, labels) + soft_target_loss(scores, wanted, labels)).backward()
    assert not scores.grad[0, :, :2].any() and scores.grad[0, :, 2:].abs().min() > 0
    nothing = torch.full_like(labels, 255)
    assert cross_entropy(scores, nothing) == 0 and soft_target_loss(scores, wanted, nothing) == 0


def test_half_precision_scores_are_weighed_in_float32():
    scores, wanted, labels = (
        value.half() if value.is_floating_point() else value for value in drawn()
    )
    assert cross_entropy(scores, labels).dtype == torch.float32
    assert soft_target_loss(scores, wanted, labels).dtype == torch.float32


def test_mean_iou_is_that_worked_out_by_hand():
    labels = torch.tensor([[0, 0, 1, 1], [2, 2, 255, 255]])
    found = torch.tensor([[0, 1, 1, 1], [2, 0, 3, 0]])
    counts = confusion(found, labels, 5)
    assert counts.tolist() == [
        [1, 1, 0, 0, 0],
        [0, 2, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    iou = class_iou(counts).tolist()
    assert iou[:3] == [1 / 3, 2 / 3, 1 / 2] and math.isnan(iou[3]) and math.isnan(iou[4])
    assert mean_iou(counts) == pytest.approx((1 / 3 + 2 / 3 + 1 / 2) / 3)
    assert pixel_accuracy(counts) == pytest.approx(4 / 6)


def test_validation_counts_the_pixels_of_the_whole_set_not_the_mean_of_pictures():
    task = Segmentation(CONFIG)
    labels = torch.zeros(2, 1, 8, dtype=torch.int64)
    labels[0, 0, :2] = 1
    scores = torch.zeros(2, 3, 1, 8)
    scores[:, 0] = 1
    scores[0, 1, 0, 0] = 5  # one of the two pixels of class 1
    found = task.scores(scores, LabelBatch(torch.zeros(2, 3, 1, 8), labels))
    means = task.summary({name: value.mean(0) for name, value in found.items()})
    assert means["mIoU"] == pytest.approx((14 / 15 + 1 / 2) / 2)
    assert means["accuracy"] == pytest.approx(15 / 16)


def test_the_validation_loss_is_the_mean_of_the_pictures_whatever_of_them_is_labelled():
    scores, _, labels = drawn()  # the second picture has twice as many labels
    found = Segmentation(CONFIG).scores(scores, LabelBatch(torch.zeros(2, 3, 4, 5), labels))
    for one, loss in enumerate(found["cross_entropy"]):
        known = [place for place in pixels(labels) if place[0] == one]
        each = [-scores[n].log_softmax(0)[labels[n, y, x], y, x].item() for n, y, x in known]
        assert loss.item() == pytest.approx(sum(each) / len(each))


def pspnet(width: float = 1 / 16, **structure) -> models.Network:
    torch.manual_seed(0)
    structure = STRUCTURE | structure
    return models.build("pspnet", models.scaled_plan("pspnet", width, **structure), **structure)


def batch() -> LabelBatch:
    torch.manual_seed(1)
    return LabelBatch(torch.rand(2, 3, 41, 41), torch.randint(0, 3, (2, 41, 41)))


def test_the_objective_adds_the_auxiliary_loss_and_the_teachers_terms():
    network, teacher = pspnet(), pspnet(1 / 8).eval()
    terms, output = Objective(network, CONFIG, teacher)(batch())
    assert list(terms) == ["cross_entropy", "auxiliary", "soft_targets", "spatial"]
    assert output.shape == (2, 3, 41, 41)
    sum(terms.values()).backward()
    assert network.auxiliary[3].weight.grad.abs().sum() > 0
    config = configs.load(None, ["loss.auxiliary=0.8"])
    torch.manual_seed(2)
    double = Objective(network, config)(batch())[0]["auxiliary"]
    torch.manual_seed(2)
    once = Objective(network, configs.load(None, []))(batch())[0]["auxiliary"]
    assert double.item() == pytest.approx(2 * once.item())
    without, _ = Objective(pspnet(auxiliary=False), CONFIG)(batch())
    assert list(without) == ["cross_entropy"]


def test_a_teacher_of_another_task_is_refused():
    teacher = models.build("dim", models.scaled_plan("dim", 1 / 32))
    with pytest.raises(InputError, match=r"teacher: a network for matting \(dim\) cannot teach"):
        Objective(pspnet(), CONFIG, teacher)
