"""DIM and DIM without BatchNorm: ties before pooling, the refinement, scales that fold, radius."""

import numpy as np
import pytest
import torch
from torch import nn

import models
from models.channels import Scale
from tests.inference import CPU, noisy_picture, whole
from tests.models.small import small, small_plan
from tests.silencing import picture
from utils.infer.inference import Inference
from utils.prune import gates, open_gates

NAME = "dim_vgg"
PLAN = small_plan(NAME)


def test_half_precision_does_not_make_neighbours_equal_before_pooling():
    torch.manual_seed(0)
    block = models.build("dim", models.scaled_plan("dim", 1 / 4)).eval().encoder1
    coarse = torch.nn.functional.interpolate(torch.rand(1, 4, 6, 6), size=(96, 96), mode="bicubic")

    def ties(values: torch.Tensor) -> int:
        """How many 2x2 windows hold their maximum twice."""
        windows = torch.nn.functional.unfold(values.transpose(0, 1).float(), 2, stride=2)
        first, second = windows.topk(2, dim=1).values.unbind(1)
        return int((first == second).sum())

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        pre = block(coarse)
        x = coarse
        for unit in block.units[:-1]:
            x = torch.relu(unit(x))
        naive = block.units[-1](x)
    assert pre.dtype == torch.float32 and naive.dtype == torch.bfloat16
    assert ties(naive) > 100
    assert ties(pre) < ties(naive) / 10


def test_scales_fold_into_plain_layers():
    network = small(NAME, gates=True)
    assert any(isinstance(module, Scale) for module in network.modules())
    folded = network.folded()
    assert not any(isinstance(module, Scale) for module in folded.modules())
    assert folded.state_dict().keys() == small(NAME).state_dict().keys()
    open_gates(network)
    assert all((g.scale == 0.5).all() for members in gates(network).values() for g in members)


def test_each_level_is_one_group_with_gates_in_encoder_and_decoder():
    members = gates(small(NAME, gates=True))
    parts = {group: [gate.part for gate in found] for group, found in members.items()}
    levels = ("encoder1.2", "encoder2.2", "encoder3.3", "encoder4.3", "encoder5.3")
    assert {group for group, of in parts.items() if of == ["encoder", "decoder"]} == {*levels}


def test_a_new_refinement_changes_nothing_yet():
    torch.manual_seed(0)
    network = models.build(NAME, PLAN)
    coarse = models.build(NAME, models.scaled_plan(NAME, 1 / 16, refine=False), refine=False)
    kept = {k: v for k, v in network.state_dict().items() if k in coarse.state_dict()}
    coarse.load_state_dict(kept)
    inputs = torch.rand(1, 3, 40, 70), torch.full((1, 1, 40, 70), 128 / 255)
    with torch.no_grad():
        assert torch.equal(network(*inputs), coarse(*inputs))


def test_maps_keep_their_size_without_norms():
    torch.manual_seed(0)
    network = models.build(NAME, models.scaled_plan(NAME, 1 / 4))
    with torch.no_grad():
        _, stages = network.forward_features(*(one.float() for one in picture(64, 96)))
    sizes = [stage.activation.square().mean().sqrt().item() for stage in stages.values()]
    assert min(sizes) > 0.1 and max(sizes) < 30


@pytest.mark.parametrize("refine", [True, False])
def test_the_radius_is_how_far_the_matte_sees(refine):
    network = models.build(NAME, models.scaled_plan(NAME, 1 / 64, refine=refine), refine=refine)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.1, 0.2)  # nothing dies on the way
    side = 2 * -(-network.radius // 32) * 32 + 32
    image, trimap = network.example(1, side, side)
    image = torch.rand_like(image).requires_grad_()
    start = side // 2 - 16
    network.matte_layer.register_forward_pre_hook(
        lambda _, args: (args[0] / args[0].mean().detach(),)
    )
    cell = network.compute(image, trimap, None)[..., start : start + 32, start : start + 32]
    cell.sum().backward()
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()
    reach = max(start - rows.min().item(), rows.max().item() - (start + 31))
    # Only maxima are seen, and the farthest of them may lie at the near end of its windows.
    assert network.radius - 62 <= reach <= network.radius


def test_tiles_equal_the_whole_picture_also_where_it_is_padded():
    network = small(NAME).float()
    image, trimap = noisy_picture(1, 45, 4001), np.full((45, 4001), 128, np.uint8)
    options = Inference("tile", halo="full", tile=480)
    assert len(options.tiles(network, trimap == 128)) >= 2
    exact = whole(network, image, trimap)
    assert np.ptp(exact) > 0.2
    assert np.abs(options.alpha(network, image, trimap, CPU) - exact).max() < 1e-5
