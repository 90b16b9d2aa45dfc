"""Pruning: what is kept, and that the cut network computes what the silenced one does."""

import math
from types import SimpleNamespace

import pytest
import torch

import models
from models.channels import Conv, Norm
from models.network import Network
from tests.refusals import refused
from tests.silencing import check_cut, picture, randomised
from utils.networks.cost import parameters
from utils.prune import cut, gates, norms, open_gates, rate_message, reached, scores, select
from utils.prune.widths import floors, widths_at

PLAN = {group: 6 + i for i, group in enumerate(models.build("dim").plan)}


def random_dim(plan: dict[str, int] | None = PLAN, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return randomised(models.build("dim", plan))


@pytest.mark.parametrize("group", [*PLAN, "all together"])
def test_cut_computes_what_the_silenced_network_does(group):
    check_cut(random_dim(), [*PLAN] if group == "all together" else [group], picture())


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        ({"encoder9.1": [0]}, "encoder9.1"),
        ({"encoder1.1": []}, "nothing left of encoder1.1"),
        ({"encoder1.1": [0, 99]}, "0 to 5"),
        ({"encoder1.1": [1, 0]}, "ascending"),
        ({"encoder1.1": [-1, 0]}, "0 to 5"),
        ({"encoder1.1": [0, 0]}, "ascending"),
        ({"encoder1.1": torch.tensor([True, False])}, "list of whole numbers"),
        ({"encoder1.1": [0.0, 1.0]}, "list of whole numbers"),
        ({"encoder1.1": 3}, "list of whole numbers"),
    ],
)
def test_cut_refuses_impossible_indices(keep, words):
    assert words in refused(cut, random_dim(), keep)


@pytest.mark.parametrize(
    "indices",
    [(0, 2, 4), range(0, 5, 2), torch.tensor([0, 2, 4]), torch.tensor([0, 2, 4]).int()],
    ids=["tuple", "range", "tensor", "int32"],
)
def test_cut_takes_indices_in_any_form(indices):
    network = random_dim()
    wanted, found = (cut(network, {"encoder2.1": i}) for i in ([0, 2, 4], indices))
    assert found.plan == wanted.plan and type(found.plan["encoder2.1"]) is int
    for entry, value in wanted.state_dict().items():
        assert torch.equal(found.state_dict()[entry], value)


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


def test_no_group_falls_under_its_floor():
    network = random_dim(plan=None)
    network.encoder3.units[0].norm.weight.data.mul_(1e-6)
    assert len(select(network, 0.5, min_channels=1)["encoder3.1"]) == 1
    assert len(select(network, 0.5, min_channels=12)["encoder3.1"]) == 12
    full = network.plan["encoder3.1"]
    shared = select(network, 0.5, min_channels=1, min_share=0.3)["encoder3.1"]
    assert len(shared) == math.ceil(0.3 * full) > 12
    rounded = select(network, 0.5, min_channels=1, min_share=0.3, round_to=8)["encoder3.1"]
    assert len(rounded) == 8 * math.ceil(math.ceil(0.3 * full) / 8)


@pytest.mark.parametrize("round_to", [8, 16])
def test_rounding_goes_up_and_down_and_keeps_the_rate(round_to):
    network = random_dim(plan=None)
    network.encoder3.units[0].norm.weight.data.mul_(1e-6)
    plain = select(network, 0.5, min_channels=12)
    keep = select(network, 0.5, min_channels=12, round_to=round_to)
    assert all(len(kept) % round_to == 0 for kept in keep.values())
    assert min(map(len, keep.values())) == 16
    changes = [len(keep[group]) - len(plain[group]) for group in keep]
    assert min(changes) < 0 < max(changes)
    for part, rate in reached(network, keep).items():
        channels = {"encoder": 3264, "decoder": 960}[part]
        assert abs(rate - 0.5) <= round_to / 2 / channels + 1e-9


def test_a_group_that_no_multiple_fits_can_stay_whole():
    network = random_dim({**dict.fromkeys(PLAN, 20), "encoder3.1": 13})
    widths = [len(kept) for kept in select(network, 0.1, round_to=8).values()]
    assert set(widths) <= {8, 13, 16, 20} and 20 in widths


@pytest.mark.parametrize("zeros", [0.93, 1.0])
def test_equal_scores_are_cut_evenly_and_not_in_the_order_of_the_plan(zeros):
    network = random_dim(plan=None)
    generator = torch.Generator().manual_seed(0)
    for members in gates(network).values():
        for gate in members:
            gone = torch.rand(len(gate.scale), generator=generator) < zeros
            gate.scale.data[gone] = 0
    for part, rate in reached(network, select(network, 0.5)).items():
        assert rate == pytest.approx(0.5, abs=1e-3), part
    shares = [len(kept) / network.plan[group] for group, kept in select(network, 0.5).items()]
    assert max(shares) - min(shares) < 0.15


def test_a_rate_that_floors_do_not_allow_is_told_with_what_was_reached():
    network = models.build("dim", models.scaled_plan("dim", 0.25))
    how = {"ties": "joint", "min_channels": 8, "round_to": 1}
    keep = select(network, 0.97, **how)
    line = rate_message(network, keep, 0.97, **how)
    assert "asks for 97% of the channels, but " in line
    assert line.endswith(": prune.min_channels=8 decided the rest")
    others = {"ties": "max_count", "min_channels": 8, "round_to": 2}
    line_of_others = rate_message(network, keep, 0.97, **others)
    assert "prune.min_channels=8 and prune.round_to=2 and prune.ties=max_count" in line_of_others
    for part, share in reached(network, keep).items():
        assert f"{share:.0%} of the {part}'s" in line and share < 0.95
    assert rate_message(network, select(network, 0.5, **how), 0.5, **how) == ""
    shares = {**how, "min_share": 0.5}
    line = rate_message(network, select(network, 0.8, **shares), 0.8, **shares)
    assert line.endswith(": prune.min_channels=8 and prune.min_share=0.5 decided the rest")


def test_max_count_is_the_released_count():
    network = random_dim(plan=None)
    units = [unit for k in range(1, 6) for unit in network.get_submodule(f"encoder{k}").units]
    encoder = torch.cat([unit.norm.weight.data for unit in units])
    decoder = torch.cat([getattr(network, f"decoder{k}").norm.weight.data for k in range(1, 6)])
    assert (len(encoder), len(decoder)) == (4224, 961)
    enc_threshold = encoder.sort().values[2112]
    dec_threshold = decoder.sort().values[480]
    keep = select(network, 0.5, ties="max_count")
    counts = {unit.norm.writes: int((unit.norm.weight > enc_threshold).sum()) for unit in units}
    for norm in (getattr(network, f"decoder{k}").norm for k in range(2, 6)):
        counts[norm.writes] = max(counts[norm.writes], int((norm.weight > dec_threshold).sum()))
    assert {group: len(kept) for group, kept in keep.items()} == counts


def test_open_gates_start_at_a_half_and_their_shift_stays_zero():
    network = random_dim()
    open_gates(network)
    for module in network.modules():
        if isinstance(module, Norm):
            assert (module.weight == 0.5).all() and (module.bias == 0).all()
            assert not module.bias.requires_grad and module.weight.requires_grad
        if isinstance(module, Conv):
            assert module.weight.requires_grad


@pytest.mark.parametrize(
    ("rate", "size", "expected"),
    [
        (0.5, 1, {"a": 32, "b": 10, "c": 4}),
        (0.5, 8, {"a": 32, "b": 8, "c": 7}),
        (0.26, 1, {"a": 47, "b": 15, "c": 5}),
        (0.99, 1, {"a": 4, "b": 4, "c": 4}),
        (0.0, 8, {"a": 64, "b": 20, "c": 7}),
    ],
)
def test_uniform_widths_are_all_cut_alike(rate, size, expected):
    network = SimpleNamespace(plan={"a": 64, "b": 20, "c": 7})
    least = floors(network.plan, 8 if size == 8 else 4, size)
    assert widths_at(network, {}, rate, "uniform", least, size) == expected


def test_half_of_every_width_is_the_published_uniform_network():
    network = models.build("dim")
    keep = select(network, 0.5, ties="uniform")
    assert parameters(network, {group: len(kept) for group, kept in keep.items()}) == 6_400_515


def test_uniform_pruning_keeps_the_largest_filters():
    network = random_dim()
    unit = network.encoder3.units[1]
    scale = unit.norm.weight / (unit.norm.running_var + unit.norm.eps).sqrt()
    lengths = [(scale[i] * w).square().sum().sqrt() for i, w in enumerate(unit.conv.weight)]
    expected = torch.stack(lengths) / torch.stack(lengths).mean()
    torch.testing.assert_close(norms(network)["encoder3.2"], expected.detach())
    keep = select(network, 0.5, ties="uniform", ranked=norms(network))
    best = sorted(range(len(lengths)), key=lambda i: -lengths[i])[: len(keep["encoder3.2"])]
    assert keep["encoder3.2"] == sorted(best)


def test_the_norm_of_a_tied_group_is_the_mean_of_its_layers():
    network = random_dim()
    pooled, unpooled = network.encoder2.units[1], network.decoder3
    shares = []
    for unit in (pooled, unpooled):
        scale = unit.norm.weight / (unit.norm.running_var + unit.norm.eps).sqrt()
        length = (scale[:, None] * unit.conv.weight.flatten(1)).norm(dim=1)
        shares.append(length / length.mean())
    found = norms(network)["encoder2.2"]
    torch.testing.assert_close(found, (sum(shares) / 2).detach())
