"""A step makes every tensor on its device and waits for none, checked on a device without numbers.

The device meta has shapes only: reading a value there, or mixing in a tensor of the CPU, is an
error. What PyTorch itself does on a GPU it cannot tell.
"""

from contextlib import nullcontext

import pytest
import torch

import models
from tests.trainings import tiny_config
from utils.config.options import Config
from utils.prune import make_sparsity
from utils.train import loop, setup
from utils.train.averages import LossAverage
from utils.train.loop import Run
from utils.train.objective import Objective

KINDS = "spatial,channel,batch,at,nst,fsp,ofd,cwd"


class Bar:
    def update(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "criterion"),
    [("dim", "distilled"), ("mobile_unet", "cap"), ("indexnet", "distilled"), ("gca", "distilled")],
)
def test_a_step_reads_no_value_and_leaves_its_device_nowhere(
    data, tmp_path, monkeypatch, name, criterion
):
    config: Config = tiny_config(
        data,
        f"save_dir={tmp_path}",
        f"distill.types=[{KINDS}]",
        f"prune.criterion={criterion}",
        "prune.sparsity_form=proximal",
        "train.ema=0.9",
        "train.clip_norm=1",
        "loss.laplacian=1",
        "loss.composition=1",
    )
    student, teacher = (
        models.build(name, models.scaled_plan(name, width)) for width in (1 / 16, 1 / 8)
    )
    sparsity = make_sparsity(student, config)
    objective = Objective(
        student, config, teacher.eval().requires_grad_(False), watch=sparsity.watch
    )
    meta = torch.device("meta")
    # Parameters stay the objects that the sparsity holds.
    monkeypatch.setattr(torch.__future__, "_swap_module_params_on_conversion", True)
    monkeypatch.setattr(setup, "choose", lambda _: meta)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta has none
    monkeypatch.setattr(loop, "identity", lambda *_: {})
    monkeypatch.setattr(LossAverage, "settle", lambda _: None)  # which reads the step before
    run = Run(objective.to(meta), config, "train", "last.tar", sparsity=sparsity)
    run.bar = Bar()
    for _, sample in zip(range(2), run.loader, strict=False):
        run.train_step(sample)
    assert run.step == 2
    assert {p.device for p in run.parameters} == {p.grad.device for p in run.parameters} == {meta}
