"""Adapters: 1x1 convolutions to the teacher's widths, trained with the student."""

import torch
from torch import nn
from torch.nn import functional

from utils.distill import Adapters, channel_similarity_loss


def test_adapters_only_where_widths_differ():
    adapters = Adapters({"encoder2": (3, 8), "encoder3": (5, 5)}, bias=False)
    assert [tuple(p.shape) for p in adapters.parameters()] == [(8, 3, 1, 1)]
    maps_in = {"encoder2": torch.randn(2, 3, 6, 6), "encoder3": torch.randn(2, 5, 3, 3)}
    maps_out = adapters(maps_in)
    assert list(maps_out) == ["encoder2", "encoder3"]
    assert maps_out["encoder2"].shape == (2, 8, 6, 6)
    assert maps_out["encoder3"] is maps_in["encoder3"]
    expected = functional.conv2d(maps_in["encoder2"], next(adapters.parameters()))
    torch.testing.assert_close(maps_out["encoder2"], expected)


def test_adapters_of_equal_widths_have_no_parameters():
    assert not list(Adapters({"encoder2": (4, 4)}, bias=True).parameters())


def test_adapters_always_and_bias():
    adapters = Adapters({"encoder2": (4, 4)}, bias=True, always=True)
    assert [tuple(p.shape) for p in adapters.parameters()] == [(4, 4, 1, 1), (4,)]
    features = torch.randn(1, 4, 2, 2)
    assert adapters({"encoder2": features})["encoder2"] is not features


def test_adapters_learn_with_the_student():
    torch.manual_seed(0)
    student = nn.Conv2d(3, 4, 3, padding=1)
    adapters = Adapters({"encoder2": (4, 6)}, bias=True)
    mapped = adapters({"encoder2": student(torch.randn(2, 3, 6, 6))})["encoder2"]
    channel_similarity_loss(mapped, torch.randn(2, 6, 6, 6)).backward()
    for parameter in (*student.parameters(), *adapters.parameters()):
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any()
