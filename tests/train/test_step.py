"""A step waits for no GPU, and what makes it fast leaves its losses as they were.

The device meta has shapes only: reading a value there, or mixing in a tensor of the CPU, is an
error. What PyTorch itself does on a GPU neither it nor the CPU can tell (`test_gpu.py`).
"""

import copy
import math
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import models
from models.errors import InputError
from models.files import saving as files
from tests.silencing import randomised
from tests.trainings import same, tiny_config, tiny_training
from utils.config.options import Config
from utils.networks.device import require_compiler
from utils.prune import Sparsity, make_sparsity
from utils.tasks.matting import MattingBatch
from utils.train import loop, setup
from utils.train.averages import LossAverage
from utils.train.loop import Run
from utils.train.objective import Objective
from utils.train.optimizer import make_optimizer

KINDS = "distill.types=[spatial,channel,batch,at,nst,fsp,ofd,cwd]"
BAR = SimpleNamespace(update=lambda: None)


class Uploads(TorchFunctionMode):
    """Refuses what makes a GPU wait for a number of the CPU."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        made = function in (torch.tensor, torch.as_tensor)
        assert not (made and result.is_meta), f"{args[0]} is waited for"
        if function is torch.Tensor.to and args[0].device != result.device:
            assert kwargs.get("non_blocking"), f"{args[1:]} is waited for"
        return result


class Reading(TorchDispatchMode):
    """Refuses what a GPU would be waited for."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function is not torch.ops.aten._local_scalar_dense.default, "a value is read"
        return function(*args, **(kwargs or {}))


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
        KINDS,
        f"prune.criterion={criterion}",
        "prune.sparsity_form=proximal",
        "train.ema=0.9",
        "train.clip_norm=1",
        "loss.l1=1",
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
    run.bar = BAR
    for _, sample in zip(range(2), run.loader, strict=False):
        with Uploads():
            run.train_step(sample)
    assert run.step == 2
    assert {p.device for p in run.parameters} == {p.grad.device for p in run.parameters} == {meta}


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "SGD"])
def test_a_step_that_float16_skips_moves_no_weight_and_reads_no_value(
    data, tmp_path, monkeypatch, kind
):
    """With the CPU in place of a GPU, which computes in float32 but scales and skips the same."""
    monkeypatch.setattr(torch.optim, kind, partial(getattr(torch.optim, kind), fused=True))
    config = tiny_config(data, f"train.optimizer={kind.lower()}", "train.epochs=1")
    training = tiny_training(config, tmp_path)
    sparsity = Sparsity(training.network, 1e-5, 10)
    run = Run(training.objective, training.config, "train", "a", None, sparsity)
    run.scaler, run.bar = torch.amp.GradScaler("cpu", init_scale=2.0), BAR
    samples = list(run.loader)

    def step(overflows: bool) -> bool:
        """Whether the network moved."""
        weight = training.network.decoder1.conv.weight
        hook = weight.register_hook(lambda g: g * math.inf if overflows else g)
        before = copy.deepcopy(run.parameters)
        with Reading():
            run.train_step(samples.pop())
        hook.remove()
        return not same(run.parameters, before)

    assert [step(overflows) for overflows in (False, True, False)] == [True, False, True]
    run.losses.settle()


def objectives(config: Config, name: str, width: float = 1 / 16) -> tuple[Objective, Objective]:
    """Twice the same in float64, the teacher's norms shifting and scaling."""
    torch.manual_seed(0)
    student, teacher = (
        models.build(name, models.scaled_plan(name, factor * width)).double() for factor in (1, 2)
    )
    teacher = randomised(teacher).requires_grad_(False)
    one = Objective(student, config, teacher).double()
    return one, copy.deepcopy(one)


def losses(objective: Objective, config: Config, steps: int) -> list[float]:
    generator = torch.manual_seed(0)
    optimizer = make_optimizer(objective, objective.network.train(), config.train)
    values = []
    for _ in range(steps):
        image, alpha, trimap = (
            torch.rand(2, channels, 64, 64, generator=generator, dtype=torch.float64)
            for channels in (3, 1, 1)
        )
        trimap = (trimap * 3).floor() / 2
        terms, _ = objective(MattingBatch(image, trimap, alpha, trimap == 0.5, None, None))
        loss = sum(terms.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


@pytest.mark.parametrize("name", ["dim", "mobile_unet", "gca"])
def test_a_folded_teacher_teaches_the_same(data, name):
    config = tiny_config(data, KINDS, "train.lr=1e-3")
    ours, plain = objectives(config, name)
    teacher, folded = ours._teacher
    assert folded.structure["folded"] and "folded" not in teacher.structure
    plain._teacher = plain.teacher, plain.teacher
    assert losses(ours, config, 20) == pytest.approx(losses(plain, config, 20), rel=1e-9)


@pytest.mark.parametrize("name", ["dim", "mobile_unet"])
def test_a_compiled_pass_is_one_graph_with_the_same_losses(data, name):
    config = tiny_config(data, "distill.types=[spatial,at]", "train.lr=1e-3")
    torch.compiler.reset()
    compiled, plain = objectives(config, name)
    compiled.compile(backend="eager", fullgraph=True)
    assert losses(compiled, config, 2) == losses(plain, config, 2)


def test_a_compiled_training_ends_in_the_same_files_and_resumes(data, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    compile_, compiled = Objective.compile, []
    monkeypatch.setattr(Objective, "compile", lambda self: compiled.append(compile_(self)))
    whole = tiny_training(tiny_config(data, "train.ema=0.5"), tmp_path / "plain", teacher_seed=5)
    whole.fit()
    for epochs, resume in ((1, False), (2, True)):
        config = tiny_config(data, "train.ema=0.5", "train.compile=true", f"train.epochs={epochs}")
        again = tiny_training(config, tmp_path / "compiled", teacher_seed=5)
        again.fit(resume)
    assert len(compiled) == 2
    for mine, its in ((again.last, whole.last), (again.best, whole.best)):
        assert same(files.read(mine)["weights"], files.read(its)["weights"])


def test_where_nothing_compiles_that_is_told_in_a_line(monkeypatch):
    def broken(_):
        raise RuntimeError("no C++ compiler\n\nset TORCH_LOGS for more")

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(InputError, match=r"^train\.compile: .*\(no C\+\+ compiler\); leave it out"):
        require_compiler(torch.device("cpu"))
