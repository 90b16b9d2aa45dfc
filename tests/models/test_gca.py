"""GCA: guided contextual attention, and the vectors of its spectral norms."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import models
from models.layers.attention import GuidedAttention, attend
from tests.models.small import small, small_plan
from utils.prune import open_gates

PLAN = small_plan("gca")


def test_no_norm_inside_attention_is_a_gate():
    network = small("gca")
    inside = [m.project.norm.weight for m in network.modules() if isinstance(m, GuidedAttention)]
    before = [weight.clone() for weight in inside]
    open_gates(network)
    assert len(inside) == 2 and all(map(torch.equal, inside, before))
    assert (network.conv1.norm.weight == 0.5).all()


def test_a_training_step_moves_the_vectors_of_a_spectral_norm_and_evaluation_does_not():
    torch.manual_seed(0)
    network = models.build("gca", PLAN)
    conv = network.layer3[0].first.conv
    vectors = [b for name, b in models.build("gca").named_buffers() if name.endswith((".u", ".v"))]
    assert sum(vector.numel() for vector in vectors) == 104_615  # as published
    norm, weight = conv.parametrizations.weight[0], conv.parametrizations.weight.original
    weight.data = torch.randn_like(weight)
    vectors = norm.u.clone(), norm.v.clone()
    inputs = torch.rand(2, 3, 32, 64), torch.full((2, 1, 32, 64), 128 / 255)
    with torch.no_grad():
        network.eval()(*inputs)
        assert torch.equal(norm.u, vectors[0]) and torch.equal(norm.v, vectors[1])
        network.train()(*inputs)
    matrix = weight.detach().flatten(1)
    v = torch.nn.functional.normalize(matrix.T @ vectors[0], dim=0)
    u = torch.nn.functional.normalize(matrix @ v, dim=0)
    torch.testing.assert_close((norm.u, norm.v), (u, v))
    network.eval()
    torch.testing.assert_close(conv.weight, weight / (u @ matrix @ v))
    norm.u.mul_(0.9)  # as in an averaged copy
    torch.testing.assert_close(conv.weight, weight / (u @ matrix @ v))
    network.train()
    for _ in range(50):
        conv.weight.sum()  # asks for the weight
    assert torch.linalg.matrix_norm(conv.weight.flatten(1), 2).item() == pytest.approx(1, rel=1e-3)


# --- attention ------------------------------------------------------------------------------------


def around(x: Tensor, y: int, x_: int, reach: range, step: int) -> Tensor:
    """The patch of one place of x (C,H,W), continued by reflection."""
    height, width = x.shape[1:]

    def inside(i: int, side: int) -> int:
        return side - 1 - abs(side - 1 - abs(i))

    rows = [inside(step * y + d, height) for d in reach]
    columns = [inside(step * x_ + d, width) for d in reach]
    return x[:, rows][:, :, columns]


def plain(features: Tensor, values: Tensor, unknown: Tensor) -> Tensor:
    """One picture, one pair of places after the other."""
    height, width = features.shape[1:]
    places = list(itertools.product(range(height), range(width)))
    near, wide = range(-1, 2), range(-1, 3)
    queries = [around(features, *place, near, 1).flatten() for place in places]
    share = unknown.mean().item()
    scale = {
        True: min(10, max(0.1, (share / (1 - share)) ** 0.5)) if share < 1 else 10,
        False: min(10, max(0.1, ((1 - share) / share) ** 0.5)) if share > 0 else 10,
    }
    scores = torch.zeros(len(places), len(places), dtype=features.dtype)
    for q, k in itertools.product(range(len(places)), repeat=2):
        touched = bool(around(unknown, *places[k], near, 1).mean() > 0)
        key = queries[k] / max(queries[k].norm().item(), 1e-4)
        scores[q, k] = queries[q] @ key * scale[touched]
        if q == k and touched:
            scores[q, k] -= 1e4
    weights = scores.softmax(1)
    canvas = torch.zeros(len(values), 2 * height + 2, 2 * width + 2, dtype=values.dtype)
    for q, (y, x) in enumerate(places):
        patches = torch.stack([around(values, *place, wide, 2) for place in places])
        mean = (weights[q, :, None, None, None] * patches).sum(0)
        canvas[:, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4] += mean / 4
    return canvas[:, 1:-1, 1:-1]


def maps(height: int = 4, width: int = 5, count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures without an unknown place, with some and with nothing else."""
    generator = torch.Generator().manual_seed(3)

    def draw(channels: int, factor: int) -> Tensor:
        shape = (count, channels, factor * height, factor * width)
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    features, values, unknown = draw(3, 1), draw(2, 2), draw(1, 1)
    thresholds = torch.tensor([9.0, 1.2, -9.0], dtype=torch.float64)[:count]
    return features, values, (unknown > thresholds[:, None, None, None]).double()


def test_it_is_the_definition_where_none_some_and_all_is_unknown():
    features, values, unknown = maps()
    assert 0 < unknown[1].mean() < 0.5
    expected = torch.stack([plain(*one) for one in zip(features, values, unknown, strict=True)])
    torch.testing.assert_close(attend(features, values, unknown), expected)
    smallest = maps(2, 2, 1)
    expected = plain(*(one[0] for one in smallest))
    torch.testing.assert_close(attend(*smallest)[0], expected)


def test_keys_shorter_than_the_floor_are_not_made_longer():
    features, values, unknown = (one[1] for one in maps())
    features = 1e-5 * features  # keys of about 5e-5
    expected = plain(features, values, unknown)
    torch.testing.assert_close(
        attend(*(one[None] for one in (features, values, unknown)))[0], expected, rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("chunk", [1, 3 * 5 * 4 * 5 * 2], ids=["rows", "two rows"])
def test_chunks_change_neither_result_nor_gradient(chunk):
    features, values, unknown = maps()
    features.requires_grad_()
    values.requires_grad_()
    outputs, gradients = [], []
    for size in (chunk, 10**6):
        outputs.append(attend(features, values, unknown, size))
        gradients.append(torch.autograd.grad(outputs[-1].square().sum(), (features, values)))
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)


def test_where_nothing_stands_out_all_places_are_averaged():
    _, values, unknown = maps(count=1)
    even = torch.zeros(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    found = attend(even, torch.ones_like(values), unknown)
    torch.testing.assert_close(found[..., 1:-1, 1:-1], torch.ones_like(found[..., 1:-1, 1:-1]))
    found = attend(even, values, unknown)
    found.square().sum().backward()
    assert torch.isfinite(even.grad).all()
    inner = found[0, :, 2:-2, 2:-2]
    mean = functional.pixel_unshuffle(inner, 2).mean((1, 2))
    assert (functional.pixel_unshuffle(inner, 2) - mean[:, None, None]).abs().max() < 1e-12


def test_its_gradient_is_the_slope():
    features, values, unknown = maps(2, 3, 2)
    features, values = (one.requires_grad_() for one in (features, values))
    assert torch.autograd.gradcheck(lambda f, v: attend(f, v, unknown), (features, values))
