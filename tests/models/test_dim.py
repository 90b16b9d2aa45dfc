"""DIM and DIM without BatchNorm: ties before pooling, the refinement, radius, the four stages."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import models
from models import Network
from models.channels import Scale
from tests import scripts
from tests.inference import CPU, noisy_picture, whole
from tests.models.small import small
from tests.silencing import picture
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.infer.inference import Inference
from utils.tasks.matting import MattingBatch
from utils.train.objective import Objective

NAME = "dim_vgg"


def with_and_without_refinement() -> tuple[Network, Network]:
    torch.manual_seed(0)
    network = models.build(NAME, models.scaled_plan(NAME, 1 / 16))
    coarse = models.build(NAME, models.scaled_plan(NAME, 1 / 16, refine=False), refine=False)
    coarse.load_state_dict({k: network.state_dict()[k] for k in coarse.state_dict()})
    return network, coarse


def test_a_new_refinement_changes_nothing_yet():
    network, coarse = with_and_without_refinement()
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


# --- stages 0 to 3 --------------------------------------------------------------------------------


SIZES = (
    *("device=cpu", "data.crop=32", "data.trimap_radius=[2,8]", "data.workers=0"),
    *("data.backgrounds_per_foreground=4", "data.valid_backgrounds=1", "train.batch_size=4"),
    "train.epochs=1",
)
STAGES = [f"dim_vgg_stage{k}" for k in range(4)]


@pytest.fixture(scope="module")
def place(data, tmp_path_factory):
    """A working folder in which all configs have been trained, one after the other."""
    folder, before = tmp_path_factory.mktemp("stages"), Path.cwd()
    os.chdir(folder)
    sizes = (*SIZES, f"data.root={data.parent}", f"data.dataset={data.name}")
    narrow = ("network.width=0.0625", "network.pretrained=null")
    for stage in STAGES:
        more = narrow if stage == STAGES[0] else ()
        scripts.main("train.py", "--config", CONFIGS / f"{stage}.yaml", *sizes, *more)
    small = ("train_prune.epochs=1", "prune.min_channels=2", "prune.round_to=1")
    for script in ("train_prune.py", "train_pruned.py"):
        scripts.main(script, "--config", CONFIGS / "prune_dim_vgg.yaml", *sizes, *small)
    yield folder
    os.chdir(before)


def best(stage: str) -> Network:
    return models.load(f"result/{stage}/BEST_checkpoint.tar")


def moved(one: Network, other: Network) -> set[str]:
    """The layers of `one` that `other` has with other weights, or has not."""
    ours, theirs = one.state_dict(), other.state_dict()
    return {
        name.partition(".")[0]
        for name in ours
        if name not in theirs or not torch.equal(ours[name], theirs[name])
    }


def test_each_stage_trains_its_part_of_the_network_of_the_one_before(place):
    networks = [best(stage) for stage in STAGES]
    assert [network.structure["refine"] for network in networks] == [False, False, True, True]
    coarse = {*(f"{part}{k}" for part in ("encoder", "decoder") for k in range(1, 7)), "matte"}
    assert moved(networks[1], networks[0]) == coarse
    assert moved(networks[2], networks[1]) == {"refinement", "refined"}
    assert moved(networks[3], networks[2]) == coarse | {"refinement", "refined"}


def test_the_pruned_network_is_half_as_wide_and_has_no_scales(place):
    teacher = best(STAGES[3])
    folder = Path("result/prune_dim_vgg")
    scaled, cut, student = (
        models.load(folder / name)
        for name in ("checkpoint_prune.tar", "pruned.tar", "BEST_pruned.tar")
    )
    assert scaled.plan == teacher.plan and scaled.structure["gates"]
    scales = torch.cat([m.weight for m in scaled.modules() if isinstance(m, Scale)])
    assert scales.std() > 0 and (scales - 1).abs().max() < 0.1  # from the teacher, by small steps
    assert sum(cut.plan.values()) == pytest.approx(sum(teacher.plan.values()) / 2, rel=0.02)
    assert cut.structure == student.structure == teacher.structure
    assert cut.plan == student.plan


def test_the_configs_hold_the_recipe_of_the_release():
    terms = ("alpha", "composition", "coarse_alpha", "coarse_composition")
    published = [(1, 0, 0, 0), (0.5, 0.5, 0, 0), (1, 0, 0, 0), (1, 0, 0.5, 0.5)]
    for stage, weights in zip(STAGES, published, strict=True):
        config = load(CONFIGS / f"{stage}.yaml")
        train = config.train
        assert tuple(getattr(config.loss, term) for term in terms) == weights
        assert (train.optimizer, train.lr, train.batch_size, train.epochs) == ("adam", 1e-5, 1, 12)
        assert (train.schedule, train.decay, train.clip) == ("step", 0.1, None)
        assert round(train.milestones[0] * train.epochs) == 10


def test_stage_3_adds_the_loss_of_stage_1_before_the_refinement_to_that_of_stage_2_after_it():
    network, coarse = with_and_without_refinement()
    nn.init.kaiming_normal_(network.refined.weight)
    foreground, background = torch.rand(2, 2, 3, 64, 96)
    alpha, unknown = torch.rand(2, 1, 64, 96), torch.rand(2, 1, 64, 96) < 0.4
    image = alpha * foreground + (1 - alpha) * background
    trimap = torch.where(unknown, 128 / 255, alpha.round())
    batch = MattingBatch(image, trimap, alpha, unknown, foreground, background)
    terms, output = Objective(network, load(CONFIGS / "dim_vgg_stage3.yaml"))(batch)

    before, after = coarse.train()(image, trimap), network(image, trimap)
    assert (before - after).abs().max() > 0.01 and torch.equal(output, after)
    weight = unknown.float()
    composite = before * foreground + (1 - before) * background

    def mean(distance: torch.Tensor) -> torch.Tensor:
        return ((distance**2 + 1e-12).sqrt() * weight).sum() / (weight.sum() + 1e-6)

    stage1 = 0.5 * mean(before - alpha) + 0.5 * mean(composite - image) / 3
    stage2 = mean(after - alpha)
    total = sum(terms.values())
    torch.testing.assert_close(total, stage1 + stage2, rtol=1e-5, atol=0)
    ours = torch.autograd.grad(total, [*network.parameters()])
    (stage1 + stage2).backward()
    theirs = dict(coarse.named_parameters())
    for (name, parameter), gradient in zip(network.named_parameters(), ours, strict=True):
        plain = parameter.grad
        if name in theirs:
            plain = plain + theirs[name].grad
        torch.testing.assert_close(gradient, plain, rtol=1e-3, atol=1e-6, msg=name)


def test_a_network_without_a_refinement_has_no_coarse_matte_to_judge(place, data):
    words = ("save_dir=other", f"data.root={data.parent}", f"data.dataset={data.name}")
    config = CONFIGS / "dim_vgg_stage1.yaml"
    told = scripts.refusal("train.py", "--config", config, *SIZES, *words, "loss.coarse_alpha=1")
    assert "loss.coarse_alpha" in told and "dim_vgg here refines no coarse matte" in told
