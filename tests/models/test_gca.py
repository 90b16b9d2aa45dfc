"""GCA: the vectors of its spectral norms, norms inside attention, and its whole path."""

from pathlib import Path

import numpy as np
import pytest
import torch

import models
from models.layers.attention import GuidedAttention
from tests.models.small import small, small_plan
from tests.scripts import main
from utils.cli.arguments import CONFIGS
from utils.images.reading import read_alpha
from utils.images.writing import write_image
from utils.prune import open_gates

PLAN = small_plan("gca")


def test_no_norm_inside_attention_is_a_gate():
    network = small("gca")
    inside = [m.project.norm.weight for m in network.modules() if isinstance(m, GuidedAttention)]
    before = [weight.clone() for weight in inside]
    open_gates(network)
    assert len(inside) == 2 and all(map(torch.equal, inside, before))
    assert (network.conv1.norm.weight == 0.5).all()


def test_spectral_norms_hold_as_many_numbers_as_published():
    vectors = [b for name, b in models.build("gca").named_buffers() if name.endswith((".u", ".v"))]
    assert sum(vector.numel() for vector in vectors) == 104_615


def test_a_training_step_moves_the_vectors_of_a_spectral_norm_and_evaluation_does_not():
    torch.manual_seed(0)
    network = models.build("gca", PLAN)
    conv = network.layer3[0].first.conv
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


def test_its_configs_train_prune_and_test_it(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = (
        *(f"data.root={data.parent}", f"data.dataset={data.name}", "data.crop=32"),
        *("data.backgrounds_per_foreground=1", "data.valid_backgrounds=1", "data.workers=0"),
        *("train.batch_size=2", "train.precision=bfloat16", "device=cpu", "prune.min_channels=2"),
        *(f"{section}.epochs=1" for section in ("train", "train_prune", "train_pruned")),
    )
    teach, prune = (("--config", CONFIGS / f"{name}.yaml") for name in ("gca", "prune_gca"))
    main("train.py", *teach, *sizes, "network.width=0.0625")
    main("train_prune.py", *prune, *sizes)
    main("train_pruned.py", *prune, *sizes)
    files = [Path("result", name) for name in ("gca/BEST_checkpoint.tar", "prune_gca/pruned.tar")]
    teacher, cut = map(models.load, files)
    student = models.load("result/prune_gca/BEST_pruned.tar")
    assert teacher.structure == student.structure == {"spectral": True}
    assert cut.structure == {"spectral": False} and cut.plan == student.plan
    assert sum(cut.plan.values()) < 0.6 * sum(teacher.plan.values())

    write_image("image/a.png", np.full((33, 40, 3), 90, np.uint8))
    write_image("trimap/a.png", np.repeat(np.uint8([0, 128, 255, 128]), 10)[None].repeat(33, 0))
    main("test.py", *prune, "--image", "image", "--trimap", "trimap", "--out", "out", "device=cpu")
    for name in ("teacher", "pruned"):
        assert read_alpha(next(Path("out", name).iterdir())).shape == (33, 40)
