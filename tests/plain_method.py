"""The method once more: DIM, its losses and its trainings, as the papers write them.

What `test_method.py` holds the scripts against, beside `plain_cut.py`. Plain PyTorch and nothing of
ours: weights are a dictionary by the entries of our files, every similarity is formed whole.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Weights = dict[str, Tensor]
Batch = Sequence[Tensor]  # 8-bit image (N,3,H,W), trimap and alpha (N,1,H,W)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WIDTHS = (64, 128, 256, 512, 512)
VGG16, SPKD = (2, 2, 3, 3, 3), (1, 1, 1, 2, 2)


@dataclass(frozen=True)
class Settings:
    """As DCP published them."""

    seed: int = 0
    alpha: float = 1.0
    alpha_teacher: float = 1.0
    kd: float = 1.0
    types: tuple[tuple[str, float], ...] = (("spatial", 1.0), ("channel", 1.0))
    stages: tuple[str, ...] = ("encoder2", "encoder3", "encoder4", "encoder5")
    adapter_bias: bool = False
    epochs: int = 2
    validate_every: int = 1
    lr: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup: float = 0.0
    milestones: tuple[float, ...] = ()
    decay: float = 0.1
    clip: float = 5.0
    sparsity: float = 1e-5
    encoder_factor: float = 10.0
    sparse_output: bool = False  # the scale before the matte is pulled, too


class Trained(NamedTuple):
    """At the end; (alpha loss, SAD) of each validation by its step; gradients that were clamped."""

    weights: Weights
    adapters: Weights
    valid: dict[int, tuple[float, float]]
    best: Weights
    clipped: int


# DIM


def layers(blocks: Iterable[tuple[int, int]]) -> Iterator[tuple[str, str, str, int]]:
    """(entry, group read, group written, kernel) of each unit; an unpooled map has its group."""
    reads, pooled = "picture", []
    for k, count in blocks:
        for i in range(count):
            yield f"encoder{k}.units.{i}", reads, f"encoder{k}.{i + 1}", 3
            reads = f"encoder{k}.{i + 1}"
        pooled.append(reads)
    for k in (5, 4, 3, 2):
        yield f"decoder{k}", pooled[k - 1], pooled[k - 2], 5
    yield "decoder1", pooled[0], "matte", 5


def blocks(w: Weights) -> list[tuple[int, int]]:
    """(block, its convolutions) of the encoder."""
    return [(k, sum(f"encoder{k}.units.{i}.conv.bias" in w for i in range(9))) for k in range(1, 6)]


def plan(convolutions: Sequence[int], scale: float) -> dict[str, int]:
    return {
        f"encoder{k}.{i + 1}": round(WIDTHS[k - 1] * scale)
        for k, count in enumerate(convolutions, 1)
        for i in range(count)
    }


def draw(convolutions: Sequence[int], plan: Mapping[str, int]) -> Weights:
    """Fresh weights, PyTorch's own, from the encoder's first unit to the decoder's last."""
    widths, weights = {"picture": 4, "matte": 1, **plan}, {}
    for entry, reads, writes, kernel in layers(enumerate(convolutions, 1)):
        for name, layer in (
            ("conv", nn.Conv2d(widths[reads], widths[writes], kernel)),
            ("norm", nn.BatchNorm2d(widths[writes])),
        ):
            weights |= {f"{entry}.{name}.{key}": v for key, v in layer.state_dict().items()}
    return weights


def dim(
    w: Weights, image: Tensor, trimap: Tensor, training: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """The matte and the stages: the encoder's after pooling."""

    def unit(entry: str, x: Tensor) -> Tensor:
        weight = w[f"{entry}.conv.weight"]
        x = F.conv2d(x, weight, w[f"{entry}.conv.bias"], padding=weight.shape[-1] // 2)
        keys = ("running_mean", "running_var", "weight", "bias")
        if training:
            w[f"{entry}.norm.num_batches_tracked"] += 1
        return F.batch_norm(x, *(w[f"{entry}.norm.{key}"] for key in keys), training, 0.1, 1e-5)

    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    x = torch.cat([(image - mean) / std, trimap.to(mean)], 1)
    stages, places = {}, []
    for k, count in blocks(w):
        for i in range(count):
            x = F.relu(unit(f"encoder{k}.units.{i}", x))
        x, indices = F.max_pool2d(x, 2, return_indices=True)
        places.append(indices)
        stages[f"encoder{k}"] = x
    for k in range(5, 0, -1):
        x = unit(f"decoder{k}", F.max_unpool2d(x, places.pop(), 2))
    return x.sigmoid(), stages


# Losses


def alpha_loss(p: Tensor, q: Tensor, unknown: Tensor) -> Tensor:
    return ((p - q) ** 2 + 1e-12).sqrt()[unknown].sum() / (unknown.sum() + 1e-6)


def similarity(kind: str, maps: Tensor) -> Tensor:
    """Between all pixels, all channels or all pictures."""
    if kind == "batch":
        rows = maps.flatten(1) @ maps.flatten(1).T
        return rows / rows.norm(dim=1, keepdim=True)
    vectors = maps.flatten(2).mT if kind == "spatial" else maps.flatten(2)
    vectors = vectors / (vectors.norm(dim=2, keepdim=True) + 1e-7)
    return vectors @ vectors.mT


def loss(s: Settings, w: Weights, adapters: Weights, teacher: Weights | None, batch: Batch):
    image, trimap, truth = (part.float() / 255 for part in batch)
    unknown = (trimap > 0.25) & (trimap < 0.75)
    alpha, ours = dim(w, image, trimap, training=True)
    total = s.alpha * alpha_loss(alpha, truth, unknown)
    if teacher is None:
        return total
    with torch.no_grad():
        wanted, theirs = dim(teacher, image, trimap, training=False)
    total = total + s.alpha_teacher * alpha_loss(alpha, wanted, unknown)
    for kind, weight in s.types:
        for stage in s.stages:
            maps = ours[stage]
            if kind == "channel" and f"{stage}.weight" in adapters:
                maps = F.conv2d(maps, adapters[f"{stage}.weight"], adapters.get(f"{stage}.bias"))
            difference = similarity(kind, maps) - similarity(kind, theirs[stage])
            total = total + s.kd * weight * (difference**2).mean()
    return total


# Training


def draw_adapters(s: Settings, w: Weights, teacher: Weights | None) -> Weights:
    """1x1 convolutions to the teacher's widths, where channels are compared and widths differ."""
    found: Weights = {}
    if teacher is None or "channel" not in dict(s.types):
        return found
    ours, theirs = (
        {f"encoder{k}": len(v[f"encoder{k}.units.{n - 1}.conv.bias"]) for k, n in blocks(v)}
        for v in (w, teacher)
    )
    for stage in s.stages:
        if ours[stage] != theirs[stage]:
            adapter = nn.Conv2d(ours[stage], theirs[stage], 1, bias=s.adapter_bias)
            found |= {f"{stage}.{key}": value for key, value in adapter.state_dict().items()}
    return found


def rate(s: Settings, step: int, total: int) -> float:
    done = step / total
    if done < s.warmup:
        return s.lr * (step + 1) / (s.warmup * total + 1)
    if s.schedule == "cosine":
        return s.lr * (1 + math.cos(math.pi * (done - s.warmup) / (1 - s.warmup))) / 2
    passed = [m for m in s.milestones if done >= m] if s.schedule == "step" else []
    return s.lr * s.decay ** len(passed)


def open_gates(w: Weights) -> None:
    for name in w:
        if name.endswith("norm.weight"):
            w[name].fill_(0.5)
        if name.endswith("norm.bias"):
            w[name].zero_()


def train(
    s: Settings,
    w: Weights,
    teacher: Weights | None,
    batches: Sequence[Batch],
    crops: Sequence[Batch],
    pruning: bool = False,
) -> Trained:
    """Train `w`, whose gates are open if `pruning`; `crops` are validated after an epoch."""
    adapters = draw_adapters(s, w, teacher)
    fixed = ("running_mean", "running_var", "tracked", *(("norm.bias",) if pruning else ()))
    trained = [v for k, v in w.items() if not k.endswith(fixed)] + list(adapters.values())
    optimizer = torch.optim.Adam([v.requires_grad_() for v in trained], s.lr, s.betas)
    optimizer.param_groups[0]["weight_decay"] = s.weight_decay
    valid, best, clipped = {}, {}, 0
    for step, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"] = rate(s, step, len(batches))
        optimizer.zero_grad()
        loss(s, w, adapters, teacher, batch).backward()
        for name, value in w.items():
            gate = name.endswith("norm.weight") and (s.sparse_output or "decoder1" not in name)
            if pruning and gate:
                factor = s.encoder_factor if name.startswith("encoder") else 1
                value.grad += s.sparsity * factor * value.detach().sign()
        for value in trained:
            clipped += int((value.grad.abs() > s.clip).sum())
            value.grad.clamp_(-s.clip, s.clip)
        optimizer.step()
        epoch, rest = divmod((step + 1) * s.epochs, len(batches))
        if rest == 0 and (epoch % s.validate_every == 0 or epoch == s.epochs):
            valid[step + 1] = validate(w, crops)
            if valid[step + 1][0] == min(valid.values())[0]:
                best = {k: v.detach().clone() for k, v in w.items()}
    for value in (*w.values(), *adapters.values()):
        value.requires_grad_(False)
    return Trained(w, adapters, valid, best, clipped)


@torch.no_grad()
def validate(w: Weights, crops: Sequence[Batch]) -> tuple[float, float]:
    """Means over the crops of the alpha loss, and of the SAD in thousands."""
    scores = []
    for batch in crops:
        image, trimap, truth = (part.float() / 255 for part in batch)
        unknown = (trimap > 0.25) & (trimap < 0.75)
        alpha, _ = dim(w, image, trimap, training=False)
        for a, t, u in zip(alpha, truth, unknown, strict=True):
            scores.append((alpha_loss(a, t, u), (a - t)[u].abs().sum() / 1000))
    return tuple(torch.tensor(scores).mean(0).tolist())
