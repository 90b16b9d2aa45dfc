"""The configs of DIM without BatchNorm continue one another, from stage 0 to the pruned network."""

import os
from pathlib import Path

import pytest
import torch

import models
from models import Network
from models.channels import Scale
from tests import scripts
from utils.arguments import CONFIGS
from utils.config import load

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
    loops = [load(CONFIGS / f"{stage}.yaml") for stage in STAGES]
    for config in loops:
        train = config.train
        assert (train.optimizer, train.lr, train.batch_size, train.epochs) == ("adam", 1e-5, 1, 12)
        assert (train.schedule, train.decay, train.clip) == ("step", 0.1, None)
        assert round(train.milestones[0] * train.epochs) == 10
    assert [(c.loss.alpha, c.loss.composition) for c in loops] == [
        (1, 0),
        (0.5, 0.5),
        (1, 0),
        (1, 0),
    ]
