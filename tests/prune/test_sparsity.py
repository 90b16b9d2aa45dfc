"""Sparsity: what pulls on the gates, and how strongly."""

import pytest
import torch

import models
from models.network import Network
from tests.refusals import refused
from tests.silencing import randomised
from utils.prune import ContextSparsity, Sparsity, gates
from utils.prune.sparsity import context

PLAN = {group: 6 + i for i, group in enumerate(models.build("dim").plan)}


def random_dim() -> Network:
    torch.manual_seed(0)
    return randomised(models.build("dim", PLAN))


def without_gradients(network: Network) -> Network:
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return network


def test_sparsity_adds_the_weighted_sign_of_each_gate():
    network = random_dim()
    network.decoder5.norm.weight.data[0] = -1.0
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    sparsity = Sparsity(network, 1e-3, 10)
    sparsity.add_gradient()
    assert network.decoder5.norm.weight.grad[0] == -1e-3
    assert network.decoder5.norm.weight.grad[1] == 1e-3
    torch.testing.assert_close(
        network.encoder4.units[2].norm.weight.grad, torch.full((PLAN["encoder4.3"],), 1e-2).double()
    )
    assert network.encoder1.units[0].conv.weight.grad.abs().sum() == 0
    expected = sum(
        (1e-2 if gate.part == "encoder" else 1e-3) * gate.scale.abs().sum()
        for members in gates(network).values()
        for gate in members
    )
    torch.testing.assert_close(sparsity.value(), expected.detach())


def test_the_release_pulls_on_the_gate_of_the_matte_too():
    for fixed, expected in ((False, 0.0), (True, 1e-3)):
        network = random_dim()
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        Sparsity(network, 1e-3, 10, fixed=fixed).add_gradient()
        assert network.decoder1.norm.weight.grad.item() == expected


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_the_proximal_form_takes_its_rate_off_each_gate_down_to_zero(factor):
    network = without_gradients(random_dim())
    gate, other = network.decoder5.norm.weight, network.encoder4.units[2].norm.weight
    gate.data[:4] = torch.tensor([0.5, -0.5, 0.0003, -0.0003])
    sparsity = Sparsity(network, 0.1, 10, proximal=True)
    sparsity.add_gradient()
    assert gate.grad.abs().sum() == 0
    slow = [{"params": [gate], "lr": 0.01 * factor}]
    rest = [p for p in network.parameters() if p is not gate]
    before = other.detach().clone()
    sparsity.shrink(torch.optim.SGD([*slow, {"params": rest}], lr=0.01))
    step = 0.01 * factor * 0.1
    expected = torch.tensor([0.5 - step, step - 0.5, 0, 0]).double()
    torch.testing.assert_close(gate.data[:4], expected)
    torch.testing.assert_close(other.data, (before - 0.01).clamp_min(0))


def test_context_is_the_scaled_sum_of_the_gram_matrix():
    torch.manual_seed(1)
    maps = torch.randn(2, 5, 3, 4)
    sums = [0.0] * 5
    for picture in maps:
        for i in range(5):
            for j in range(5):
                sums[i] += (picture[i] * picture[j]).sum().item()
    expected = [(s - min(sums)) / (max(sums) - min(sums)) for s in sums]
    assert context(maps).tolist() == pytest.approx(expected, abs=1e-5)
    assert context(torch.zeros(1, 3, 2, 2)).tolist() == [0, 0, 0]


def test_cap_pulls_less_on_channels_that_resemble_the_others():
    network = without_gradients(random_dim())
    sparsity = ContextSparsity(network, 1e-3, 10, ("encoder3",))
    _, stages = network.forward_features(*network.example(2, 64, 64), pre=False)
    stages["encoder3"] = stages["encoder3"]._replace(
        activation=torch.rand(2, PLAN["encoder3.3"], 8, 8)
    )
    sparsity.watch(stages)
    sparsity.add_gradient()
    beta = context(stages["encoder3"].activation).double()
    written = network.encoder3.units[2].norm.weight
    torch.testing.assert_close(written.grad, 1e-2 * (1 - beta))
    other = network.encoder3.units[1].norm.weight
    torch.testing.assert_close(other.grad, torch.full_like(other, 1e-3).detach())
    tied = network.decoder4.norm.weight  # writes the same group, but not the stage
    torch.testing.assert_close(tied.grad, torch.full_like(tied, 1e-3).detach())
    pulls = {id(written): 1e-2 * (1 - beta)}
    expected = sum(
        (pulls.get(id(gate.scale), 1e-3) * gate.scale.abs()).sum()
        for members in gates(network).values()
        for gate in members
    )
    torch.testing.assert_close(sparsity.value(), expected.detach())


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("encoder9", "distill.stages: dim has no 'encoder9'; it has encoder1"),
        ("decoder1", "prune.criterion=cap: no gate writes the stage decoder1 of dim"),
    ],
)
def test_cap_refuses_a_stage_without_a_gate(stage, words):
    assert words in refused(ContextSparsity, random_dim(), 1e-3, 10, (stage,))
