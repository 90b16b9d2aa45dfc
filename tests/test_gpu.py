"""On a CUDA device: every precision trains, resumes, is cut, saved and mattes as on the CPU."""

import copy

import numpy as np
import pytest
import torch

import models
from tests.sets import disc, picture
from tests.trainings import tiny_config, tiny_network, tiny_training
from utils.images.trimap import make_trimap
from utils.infer.inference import Inference
from utils.networks.device import without_tf32
from utils.prune import Sparsity, cut, open_gates, select

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_pruning_stage_trains_resumes_and_is_cut(data, tmp_path, precision):
    overrides = ("device=cuda", f"train.precision={precision}", "train.lr=1e-3")
    for epochs, resume in ((1, False), (2, True)):
        config = tiny_config(data, *overrides, f"train.epochs={epochs}")
        task = tiny_training(config, tmp_path, teacher_seed=5)
        open_gates(task.network)
        task.sparsity = Sparsity(task.network, 1e-5, 10)
        task.fit(resume)
    keep = select(task.network, 0.5)
    small = cut(task.network.eval(), keep)
    assert next(small.parameters()).is_cuda
    assert small.plan == {group: len(kept) for group, kept in keep.items()}
    assert models.load(task.best).plan == task.network.plan


@pytest.mark.parametrize(
    "options", [{"mode": "whole"}, {"mode": "tile"}, {"mode": "tile", "halo": 32}]
)
def test_a_matte_is_that_of_the_cpu(options):
    network = tiny_network(width=1 / 8).eval()
    trimap = make_trimap(disc(101, 150), 6)
    mattes = [
        Inference(**options).matte(
            network.to(device), picture(0, 101, 150), trimap, torch.device(device)
        )
        for device in ("cpu", "cuda")
    ]
    assert np.abs(mattes[0].astype(int) - mattes[1].astype(int)).max() <= 1


@pytest.mark.parametrize("name", models.NETWORKS)
def test_every_network_computes_learns_and_is_cut_as_on_the_cpu(name):
    torch.manual_seed(0)
    network = models.build(name, models.scaled_plan(name, 1 / 8))
    batch = torch.rand(2, 3, 96, 96), torch.randint(3, (2, 1, 96, 96)) / 2
    inputs = batch[: 1 if network.task == "segmentation" else 2]
    keep = {group: list(range(0, width, 2)) for group, width in network.plan.items()}
    small = cut(copy.deepcopy(network).eval(), keep)
    there = [one.cuda() for one in inputs]
    for one in (network.eval(), small.eval()):
        with torch.no_grad(), without_tf32():
            here = one(*inputs)
            error = (one.cuda()(*there).cpu() - here).abs().max()
        assert error <= 1e-4 * max(1, here.abs().max())
    network.train()
    with torch.autocast("cuda", torch.bfloat16):
        network.compute(*there, None).square().mean().backward()
    gradients = [one.grad for one in network.parameters() if one.grad is not None]
    assert gradients and all(one.isfinite().all() for one in gradients)
