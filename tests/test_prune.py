"""Pruning: what is kept, and that the cut network computes what the silenced one does."""

import pytest
import torch

import models
from models.channels import Conv, Norm
from models.errors import InputError
from models.network import Network
from tests.silencing import check_cut, picture, randomised
from utils.prune import Sparsity, cut, gates, open_gates, scores, select

PLAN = {group: 6 + i for i, group in enumerate(models.build("dim").plan)}


def random_dim(plan: dict[str, int] | None = PLAN, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return randomised(models.build("dim", plan))


@pytest.mark.parametrize("group", [*PLAN, "all together"])
def test_cut_computes_what_the_silenced_network_does(group):
    check_cut(random_dim(), [*PLAN] if group == "all together" else [group], picture())


def test_cut_keeps_what_is_absent_whole_and_the_mode_and_type():
    network = random_dim().train()
    small = cut(network, {"encoder3.2": [0, 4]})
    assert small.plan == PLAN | {"encoder3.2": 2}
    assert small.training and next(small.parameters()).dtype == torch.float64


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        ({"encoder9.1": [0]}, "encoder9.1"),
        ({"encoder1.1": []}, "nothing left of encoder1.1"),
        ({"encoder1.1": [0, 99]}, "0 to 5"),
        ({"encoder1.1": [1, 0]}, "ascending"),
        ({"encoder1.1": [-1, 0]}, "0 to 5"),
    ],
)
def test_cut_refuses_impossible_indices(keep, words):
    with pytest.raises(InputError, match=words):
        cut(random_dim(), keep)


def test_gates_of_unpooled_groups_are_tied_and_belong_to_the_decoder():
    found = gates(models.build("dim"))
    parts = {group: [gate.part for gate in members] for group, members in found.items()}
    tied = {"encoder1.2", "encoder2.2", "encoder3.3", "encoder4.3"}
    assert {g for g, p in parts.items() if p == ["encoder", "decoder"]} == tied
    assert all(p == ["encoder"] for g, p in parts.items() if g not in tied)


def test_score_is_the_mean_over_gates_relative_to_their_part():
    network = random_dim()
    encoder = torch.cat(
        [g.scale for m in gates(network).values() for g in m if g.part == "encoder"]
    )
    decoder = torch.cat(
        [g.scale for m in gates(network).values() for g in m if g.part == "decoder"]
    )
    a, b = network.encoder2.units[1].norm.weight, network.decoder3.norm.weight
    expected = (a / encoder.mean() + b / decoder.mean()) / 2
    torch.testing.assert_close(scores(network)["encoder2.2"], expected.detach())


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.9])
def test_rate_cuts_that_share_of_each_part(rate):
    network = random_dim(plan=None)
    keep = select(network, rate)
    tied = [g for g, members in gates(network).items() if len(members) == 2]
    for groups in (tied, [g for g in network.plan if g not in tied]):
        total = sum(network.plan[g] for g in groups)
        assert sum(len(keep[g]) for g in groups) == total - int(total * rate)


def test_floors_do_not_change_the_rate():
    network = random_dim(plan=None)
    for unit in network.encoder3.units[:2]:
        unit.norm.weight.data.mul_(1e-6)
    members = gates(network)
    keep = select(network, 0.5, min_channels=40)
    assert len(keep["encoder3.1"]) == len(keep["encoder3.2"]) == 40
    for tied in (True, False):
        groups = [group for group in network.plan if (len(members[group]) == 2) == tied]
        total = sum(network.plan[group] for group in groups)
        assert sum(len(keep[group]) for group in groups) == total - int(total * 0.5)


def test_select_keeps_the_channels_of_the_highest_scores():
    network = random_dim(plan=None)
    ranked, keep = scores(network), select(network, 0.5)
    for group, indices in keep.items():
        gone = sorted(set(range(network.plan[group])) - set(indices))
        if gone and indices:
            assert ranked[group][indices].min() >= ranked[group][gone].max()


def test_no_group_falls_under_its_floor_and_widths_are_rounded_up():
    network = random_dim(plan=None)
    network.encoder3.units[0].norm.weight.data.mul_(1e-6)
    assert len(select(network, 0.5, min_channels=1)["encoder3.1"]) == 1
    assert len(select(network, 0.5, min_channels=12)["encoder3.1"]) == 12
    widths = [len(k) for k in select(network, 0.5, min_channels=12, round_to=8).values()]
    assert all(w % 8 == 0 for w in widths) and min(widths) == 16


def test_max_count_is_the_released_count():
    network = random_dim(plan=None)
    units = [unit for k in range(1, 6) for unit in network.get_submodule(f"encoder{k}").units]
    encoder = torch.cat([unit.norm.weight.data for unit in units])
    decoder = torch.cat([getattr(network, f"decoder{k}").norm.weight.data for k in range(1, 6)])
    assert (len(encoder), len(decoder)) == (4224, 961)
    enc_threshold = encoder.sort().values[2112]
    dec_threshold = decoder.sort().values[480]
    keep = select(network, 0.5, ties="max_count")
    a = int((network.encoder1.units[1].norm.weight > enc_threshold).sum())
    b = int((network.decoder2.norm.weight > dec_threshold).sum())
    assert len(keep["encoder1.2"]) == max(a, b)
    assert len(keep["encoder5.2"]) == int(
        (network.encoder5.units[1].norm.weight > enc_threshold).sum()
    )


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


def test_open_gates_start_at_a_half_and_their_shift_stays_zero():
    network = random_dim()
    open_gates(network)
    for module in network.modules():
        if isinstance(module, Norm):
            assert (module.weight == 0.5).all() and (module.bias == 0).all()
            assert not module.bias.requires_grad and module.weight.requires_grad
        if isinstance(module, Conv):
            assert module.weight.requires_grad
