"""The configs of published experiments hold the published values, defaults included."""

import pytest

from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.train.optimizer import scheduled_rate

CROP = {
    "data.dataset": "Composition-1k",
    "data.crop": 320,
    "data.crop_scales": (1.0, 1.5, 2.0),  # cut from 320, 480 or 640 pixels
    "data.backgrounds_per_foreground": 100,
    "augment.flip": True,
    "augment.jitter": 0.125,
}
SIMILARITY = {
    "distill.types": ("spatial", "channel"),
    "distill.weights": None,  # one each
    "distill.stages": ("encoder2", "encoder3", "encoder4", "encoder5"),  # never the first
}
LOOP = {
    "optimizer": "adam",
    "lr": 0.01,
    "pretrained_lr": 1.0,
    "freeze_norms": False,
    "betas": (0.9, 0.999),
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": 0.0,
    "batch_size": 16,
    "clip": 5.0,
    "clip_norm": None,
    "ema": 0.0,
}
NO_OTHER_LOSS = {"loss.l1": 0.0, "loss.laplacian": 0.0, "loss.composition": 0.0}
# DCP, ACCV 2022: supplement and released code. Its released config has batch 1, SPKD's has 16.
DCP = {
    **CROP,
    **SIMILARITY,
    **NO_OTHER_LOSS,
    "network.name": "dim",
    "network.width": 1.0,
    "loss.alpha": 1.0,
    "loss.alpha_teacher": 1.0,
    "loss.kd": 1.0,
    "distill.adapter_bias": False,
    "prune.rate": 0.5,
    "prune.sparsity": 1e-5,
    "prune.encoder_factor": 10.0,
    "prune.weights": "scratch",
}
# SPKD, IEEE SPL 2020: released code.
SPKD = {
    **CROP,
    **SIMILARITY,
    **NO_OTHER_LOSS,
    "network.name": "dim",
    "network.width": 0.5,
    "network.structure": {"convolutions": (1, 1, 1, 2, 2)},
    "loss.alpha": 0.5,
    "loss.alpha_teacher": 0.5,
    "loss.kd": 1.0,
    "distill.adapter_bias": True,
}
# GCA, AAAI 2020: paper and released code; 200,000 steps, 5,000 of them warm-up.
GCA = {
    "network.name": "gca",
    "network.width": 1.0,
    "data.crop": 512,
    "loss.alpha": 0.0,
    "loss.l1": 1.0,
    "loss.laplacian": 0.0,
    "loss.composition": 0.0,
    "train.optimizer": "adam",
    "train.lr": 4e-4,
    "train.betas": (0.5, 0.999),
    "train.schedule": "cosine",
    "train.warmup": 5_000 / 200_000,
    "train.batch_size": 40,
    "train.clip": None,
}
# What of DCP's supplement is given for GCA.
DCP_GCA = {
    **SIMILARITY,
    **NO_OTHER_LOSS,
    "teacher": "result/gca/BEST_checkpoint.tar",
    "loss.alpha": 1.0,
    "loss.alpha_teacher": 1.0,
    "loss.kd": 1.0,
    "prune.rate": 0.5,
    "prune.sparsity": 1e-5,
    "prune.weights": "scratch",
}
# DCP's supplement for PSPNet-50 on VOC2012, and semseg's weight of the auxiliary loss.
PSPNET = {
    "network.name": "pspnet",
    "network.width": 1.0,
    "network.structure": {"classes": 21},
    "data.crop": 473,
    "augment.flip": True,
    "augment.scales": (0.5, 2.0),
    "loss.cross_entropy": 1.0,
    "loss.auxiliary": 0.4,
    "distill.types": ("spatial", "channel"),
    "distill.stages": ("layer2", "layer3", "layer4"),
    "prune.rate": 0.5,
    "prune.weights": "scratch",
    "train.epochs": 50,
    "train.batch_size": 8,
    "train.optimizer": "adam",
    "train.lr": 0.01,
    "train.betas": (0.9, 0.999),
    "train.weight_decay": 1e-4,
    "train.schedule": "constant",
}
# IndexNet, ICCV 2019: released code. It sums the composition loss over three channels.
INDEXNET = {
    "network.name": "indexnet",
    "network.pretrained": "imagenet",
    "network.structure": {},  # many to one, nonlinear, with context and ASPP
    "data.crop": 320,
    "data.trimap": "distance",
    "data.trimap_radius": (1, 19),
    "loss.alpha": 0.5,
    "loss.composition": 3 * 0.5,
    "train.optimizer": "adam",
    "train.lr": 1e-2,
    "train.freeze_norms": True,
    "train.batch_size": 16,
    "train.epochs": 30,
}
PUBLISHED = {
    "train_SPKD": DCP,
    "student_SPKD": SPKD,
    "gca": GCA,
    "prune_gca": DCP_GCA,
    "indexnet": INDEXNET,
    "voc_pspnet": PSPNET,
}


def value(section: object, key: str) -> object:
    for name in key.split("."):
        section = getattr(section, name)
    return section


@pytest.mark.parametrize("file", PUBLISHED)
def test_a_config_holds_the_values_of_its_paper(file):
    config, published = load(CONFIGS / f"{file}.yaml"), PUBLISHED[file]
    assert {key: value(config, key) for key in published} == published


def test_gca_and_what_prunes_it_see_the_same_samples():
    teacher, pruning = (load(CONFIGS / f"{name}.yaml") for name in ("gca", "prune_gca"))
    assert (teacher.data, teacher.augment) == (pruning.data, pruning.augment)
    assert (
        teacher.teacher is None and pruning.teacher_path == teacher.folder / "BEST_checkpoint.tar"
    )


@pytest.mark.parametrize(
    ("file", "script", "epochs"),
    [
        ("train_SPKD", "train", 30),
        ("train_SPKD", "train_prune", 15),
        ("train_SPKD", "train_pruned", 30),
        ("student_SPKD", "train", 30),
    ],
)
def test_every_stage_trains_as_published(file, script, epochs):
    loop = load(CONFIGS / f"{file}.yaml").loop(script)
    assert {key: value(loop, key) for key in LOOP} == LOOP
    assert loop.epochs == epochs


def test_the_rate_of_indexnet_falls_at_epochs_20_and_26():
    options = load(CONFIGS / "indexnet.yaml").train
    assert options.lr * options.pretrained_lr == pytest.approx(1e-4)
    rates = [
        scheduled_rate(options, 100 * epoch, 100 * options.epochs)
        for epoch in range(options.epochs)
    ]
    assert rates == pytest.approx([1e-2] * 20 + [1e-3] * 6 + [1e-4] * 4)
