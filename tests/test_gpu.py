"""On a CUDA device: every precision trains, resumes, is cut, saved and mattes as on the CPU."""

import copy
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import models
from tests.sets import disc, picture
from tests.trainings import tiny_config, tiny_network, tiny_training
from utils.config.options import Config
from utils.images.trimap import make_trimap
from utils.infer.inference import Inference
from utils.networks.device import without_tf32
from utils.prune import Sparsity, cut, open_gates, select
from utils.train.loop import Run
from utils.train.objective import Objective

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def a_run(config: Config, folder: Path, name: str) -> Run:
    """A pruning stage before its first step."""
    torch.manual_seed(0)
    student, teacher = (
        models.build(name, models.scaled_plan(name, width)) for width in (1 / 16, 1 / 8)
    )
    config = config.model_copy(update={"save_dir": str(folder)})
    sparsity = Sparsity(student, 1e-5, 10, proximal=True)
    objective = Objective(student, config, teacher.eval().requires_grad_(False))
    run = Run(objective, config, "train", "last.tar", sparsity=sparsity)
    run.bar = SimpleNamespace(update=lambda: None)
    return run


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


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["dim", "mobile_unet"])
def test_a_step_waits_for_nothing(data, tmp_path, name, precision):
    overrides = ("train.ema=0.9", "train.clip_norm=1", "loss.laplacian=1", "train.epochs=4")
    config = tiny_config(data, "device=cuda", f"train.precision={precision}", *overrides)
    run = a_run(config, tmp_path, name)
    for step, sample in enumerate(run.loader):
        run.train_step(sample)
        if step == 3:  # after caches are filled
            torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")
    assert run.step == 16 and all(math.isfinite(value) for value in run.losses.means().values())


def test_what_is_fast_changes_no_loss(data, tmp_path, monkeypatch):
    """The teacher folded or as it is, on one stream or two, compiled or not."""

    def means(*overrides: str, folded: bool = True, beside: bool = True) -> list[float]:
        run = a_run(
            tiny_config(data, "device=cuda", "train.lr=1e-4", *overrides), tmp_path, "mobile_unet"
        )
        if not folded:
            run.objective._teacher = run.objective.teacher, run.objective.teacher
        run.setup._uploads = run.setup._uploads if beside else None
        with without_tf32():
            for sample in run.loader:
                run.train_step(sample)
        return list(run.losses.means().values())

    plain = means(folded=False, beside=False)
    for others in ({}, {"folded": False}, {"beside": False}):
        assert means(**others) == pytest.approx(plain, rel=5e-3)
    assert means("train.compile=true") == pytest.approx(plain, rel=5e-3)


def test_a_resumed_training_ends_as_one_that_was_not_interrupted(data, tmp_path):
    ends = []
    for folder, parts in (("whole", (2,)), ("parts", (1, 2))):
        for part, epochs in enumerate(parts):
            config = tiny_config(data, "device=cuda", f"train.epochs={epochs}", "train.ema=0.5")
            task = tiny_training(config, tmp_path / folder, teacher_seed=5)
            with without_tf32():
                task.fit(resume=part > 0)
            draws = torch.rand(3, device="cuda")
        ends.append([draws, *task.network.parameters()])
    for one, other in zip(*ends, strict=True):  # sums of the GPU are in no fixed order
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "options", [{"mode": "whole"}, {"mode": "auto"}, {"mode": "tile"}, {"mode": "tile", "halo": 32}]
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
