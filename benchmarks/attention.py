"""Guided contextual attention against patches as convolutions: time, memory and accuracy.

    python benchmarks/attention.py

For a picture of 1080 x 1920 at full width, on one thread. The plain form is that of the release:
every patch is the weight of a convolution, and the score of each place with each other one is held
at once. Targets: less than half the memory, no more time, the same result to 1e-4.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.timing import compare, parser, peak_above_inputs, report
from models.layers.attention import attend

FEATURES, VALUES = 64, 128
SIZE = (1088, 1920)  # of the picture, padded
TOY = SMALL = (64, 96)


def main(argv: Sequence[str] | None = None) -> None:
    toy = parser(__doc__).parse_args(argv).toy
    size, repeats = (TOY, 1) if toy else (SIZE, 5)
    peaks = [peak_above_inputs(function, maps, size, SMALL) for function in (plain, attend_once)]
    report("attention, peak memory, plain", peaks[0] / 2**20, "MiB")
    report("attention, peak memory", peaks[1] / 2**20, "MiB")
    report("attention, peak memory, plain / ours", peaks[0] / peaks[1], "times")

    inputs = maps(*size)
    times = compare(lambda: plain(*inputs), lambda: attend_once(*inputs), repeats)
    report("attention, time, plain", times.reference, "s")
    report("attention, time", times.ours, "s")
    report("attention, time, plain / ours", times.ratio, "times")

    with torch.inference_mode():
        expected = plain(*inputs)
        error = (attend(*inputs) - expected).abs().max() / (expected.max() - expected.min())
    report("attention, largest difference", float(error), "of the range")


def maps(height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
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
def attend_once(features: Tensor, values: Tensor, unknown: Tensor) -> Tensor:
    return attend(features, values, unknown)


@torch.inference_mode()
def plain(features: Tensor, values: Tensor, unknown: Tensor) -> Tensor:
    """Of one picture; the score of place k with place q is channel k at q."""
    height, width = features.shape[-2:]
    places = height * width
    features, values, unknown = (
        F.pad(x, (1, 1, 1, 1), "reflect") for x in (features, values, unknown)
    )
    keys = F.unfold(features, 3)[0].T.reshape(places, FEATURES, 3, 3)
    keys = keys / keys.flatten(1).norm(dim=1).clamp_min(1e-4)[:, None, None, None]
    share = unknown[..., 1:-1, 1:-1].mean()
    touched = F.unfold(unknown, 3)[0].mean(0) > 0
    few = (share / (1 - share)).sqrt().clamp(0.1, 10), ((1 - share) / share).sqrt().clamp(0.1, 10)
    scale = torch.where(touched, *few)[None, :, None, None]
    scores = F.conv2d(features, keys).mul_(scale)
    scores[0].view(places, places).diagonal().sub_(1e4 * touched)
    weights = scores.softmax(1)
    patches = F.unfold(values, 4, stride=2)[0].T.reshape(places, VALUES, 4, 4)
    return F.conv_transpose2d(weights, patches, stride=2, padding=1) / 4


if __name__ == "__main__":
    main()
