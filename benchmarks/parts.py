"""Parts of the method against their plain forms, and what distillation adds to a training step.

    python benchmarks/parts.py

On one thread. Spatial similarity at 80 x 80, 128 channels, forward and backward, as in the second
stage of DIM at 320 px; targets: 25 times faster, a twentieth of the memory, a relative error of
1e-3 at a distance of 1e-3. Attention for 1080 x 1920 at full width, plain as in the release: each
patch is the weight of a convolution; targets: less than half the memory, no more time.

A training step is DIM's pass as the teacher, that of SPKD's fixed student forward and backward, and
the optimiser's step, 320 x 320, batch 4, stages 2 to 5 of the encoder. Target: SPKD (spatial and
channel similarity), NST or AT add less than 15 %.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor
from torch.nn import functional as F

import models
from benchmarks.timing import fastest, parser, peak_above_inputs, report, report_pair
from models.layers.attention import attend
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.distill import spatial_similarity_loss
from utils.networks.loading import new_network
from utils.tasks.matting import MattingBatch
from utils.train.objective import Objective

FEATURES, VALUES = 64, 128  # channels of the attention
DISTANCES = (1e-1, 1e-2, 1e-3, 1e-4)
KINDS = ("spatial,channel", "at", "nst", "cwd", "ofd")


def main(argv: Sequence[str] | None = None) -> None:
    toy = parser(__doc__).parse_args(argv).toy
    repeats, shape = (1, (1, 16, 24, 24)) if toy else (5, (1, 128, 80, 80))
    steps = plain_gradient, our_gradient
    measure("spatial similarity", steps, maps, shape, (1, 8, 8, 8), repeats)
    for distance in DISTANCES:
        student, teacher = maps(*shape, distance=distance)
        exact = student.detach().double().requires_grad_()
        value = plain_spatial(exact, teacher.double())
        error = (spatial_similarity_loss(student, teacher) - value) / value
        report(f"spatial similarity, value at {distance:g}", error.abs().item(), "relative error")
        (right,) = torch.autograd.grad(value, exact)
        error = (our_gradient(student, teacher).double() - right).norm() / right.norm()
        report(f"spatial similarity, gradient at {distance:g}", float(error), "relative error")

    size, small = (64, 96) if toy else (1088, 1920), (64, 96)
    measure("attention", (plain_attention, our_attention), pictures, size, small, repeats)
    inputs = pictures(*size)
    right = plain_attention(*inputs)
    error = (our_attention(*inputs) - right).abs().max() / (right.max() - right.min())
    report("attention, largest difference", float(error), "of the range")

    steps = [training_step(kinds, toy) for kinds in ("", *KINDS)]
    without, *times = fastest(steps, repeats, time.process_time)
    report("a training step without distillation", without, "s")
    for kinds, seconds in zip(KINDS, times, strict=True):
        report(f"a training step, {kinds} adds", 100 * (seconds / without - 1), "%")


def measure(
    title: str,
    calls: Sequence[Callable[..., Tensor]],
    inputs: Callable[..., tuple],
    size: Sequence[int],
    small: Sequence[int],
    repeats: int,
) -> None:
    """Report memory and time of the plain and of our form."""
    peaks = (peak_above_inputs(call, inputs, size, small) for call in calls)
    report_pair(f"{title}, peak memory", *peaks, "MiB", 2**-20)
    arguments = inputs(*size)
    times = fastest([partial(call, *arguments) for call in calls], repeats)
    report_pair(f"{title}, time", *times, "s")


def maps(*shape: int, distance: float = 1.0) -> tuple[Tensor, Tensor]:
    """A student and a teacher after their ReLU, at a relative distance from each other."""
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(shape, generator=generator).relu_()
    noise = torch.randn(shape, generator=generator)
    student = teacher + noise * (distance * teacher.norm() / noise.norm())
    return student.requires_grad_(), teacher


def plain_spatial(student: Tensor, teacher: Tensor) -> Tensor:
    """The definition: two HW x HW matrices."""
    grams = []
    for features in (student, teacher):
        columns = features.flatten(2)
        columns = columns / (columns.norm(dim=1, keepdim=True) + 1e-7)
        grams.append(columns.mT @ columns)
    return F.mse_loss(*grams)


def plain_gradient(student: Tensor, teacher: Tensor) -> Tensor:
    return torch.autograd.grad(plain_spatial(student, teacher), student)[0]


def our_gradient(student: Tensor, teacher: Tensor) -> Tensor:
    return torch.autograd.grad(spatial_similarity_loss(student, teacher), student)[0]


def pictures(height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features at stride 16, values at stride 8, and a disc's ring as the unknown region."""
    generator = torch.Generator().manual_seed(0)
    shape = height // 16, width // 16
    features = torch.randn(1, FEATURES, *shape, generator=generator) / 4
    values = torch.randn(1, VALUES, 2 * shape[0], 2 * shape[1], generator=generator)
    y, x = (torch.linspace(-1, 1, side) for side in shape)
    radius = torch.hypot(y[:, None], x[None])
    unknown = ((radius > 0.5) & (radius < 0.8)).float()[None, None]
    return features, values, unknown


@torch.inference_mode()
def our_attention(features: Tensor, values: Tensor, unknown: Tensor) -> Tensor:
    return attend(features, values, unknown)


@torch.inference_mode()
def plain_attention(features: Tensor, values: Tensor, unknown: Tensor) -> Tensor:
    """Of one picture; the score of place k with place q is channel k at q."""
    places = features[0, 0].numel()
    features, values, unknown = (
        F.pad(x, (1, 1, 1, 1), "reflect") for x in (features, values, unknown)
    )
    keys = F.unfold(features, 3)[0].T.reshape(places, FEATURES, 3, 3)
    keys = keys / keys.flatten(1).norm(dim=1).clamp_min(1e-4)[:, None, None, None]
    share = unknown[..., 1:-1, 1:-1].mean()
    touched = F.unfold(unknown, 3)[0].mean(0) > 0
    few = (share / (1 - share)).sqrt().clamp(0.1, 10), ((1 - share) / share).sqrt().clamp(0.1, 10)
    scores = F.conv2d(features, keys).mul_(torch.where(touched, *few)[None, :, None, None])
    scores[0].view(places, places).diagonal().sub_(1e4 * touched)
    patches = F.unfold(values, 4, stride=2)[0].T.reshape(places, VALUES, 4, 4)
    return F.conv_transpose2d(scores.softmax(1), patches, stride=2, padding=1) / 4


def random_batch(count: int, side: int) -> MattingBatch:
    image, alpha = (torch.rand(count, channels, side, side) for channels in (3, 1))
    trimap = torch.randint(3, alpha.shape) / 2
    return MattingBatch(image, trimap, alpha, trimap == 0.5, None, None)


def training_step(kinds: str, toy: bool) -> Callable[[], None]:
    """A training step with these kinds; all start from the same weights and see the same batch."""
    width = ("network.width=0.0625", "distill.stages=[encoder2,encoder3]") if toy else ()
    kind = f"distill.types=[{kinds}]" if kinds else "loss.kd=0"
    config = load(CONFIGS / "student_SPKD.yaml", [*width, kind])
    plan = models.scaled_plan("dim", 0.125) if toy else None
    student = new_network(config, resume=False)
    teacher = models.build("dim", plan).eval().requires_grad_(False)
    objective = Objective(student, config, teacher).train()
    optimizer = torch.optim.Adam(objective.parameters(), 1e-4)

    torch.manual_seed(0)
    batch = random_batch(*((2, 32) if toy else (4, 320)))

    def one_step() -> None:
        terms, _ = objective(batch)
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        optimizer.step()

    return one_step


if __name__ == "__main__":
    main()
