"""On a CUDA device: every precision trains, resumes, is cut, saved and mattes as on the CPU."""

import numpy as np
import pytest
import torch

import models
from tests.sets import disc, picture
from tests.trainings import tiny_config, tiny_network, tiny_training
from utils.images.trimap import make_trimap
from utils.infer.inference import Inference
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
