"""Samples a second of a training step, by memory layout and precision.

    python benchmarks/steps.py [--network large] [--crop 320] [--batch 32] [--device cuda]

The reference is float32 in contiguous layout. A step is the pass forward and backward and the
optimiser's step with the losses of configs/mobile_unet_large.yaml, on one random batch that lies on
the device: what loaders make is not in it (benchmarks/loader.py).
"""

import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

import models
from benchmarks.timing import parser, positive, report
from models import Network
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.config.options import Config
from utils.networks.device import autocast, choose
from utils.tasks.matting import MattingBatch
from utils.train.objective import Objective
from utils.train.optimizer import clip_gradients, make_optimizer

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
PRECISIONS = ("float32", "bfloat16")
STEPS = 10  # of one timing on a GPU


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--network", default="large", metavar="NAME_OR_FILE", help="(large)")
    options.add_argument("--crop", type=positive, default=320, metavar="PIXELS", help="(320)")
    options.add_argument("--batch", type=positive, default=32, metavar="N", help="(32)")
    options.add_argument("--device", default="auto", help="auto, cpu or cuda (auto)")
    options.add_argument("--repeats", type=positive, default=5, metavar="N", help="(5)")
    args = options.parse_args(argv)
    if args.toy:
        args.network, args.crop, args.batch, args.repeats = "small", 32, 2, 1
    device = choose(args.device)
    config = load(CONFIGS / "mobile_unet_large.yaml", ["network.start=null"])
    steps = {
        f"{precision}, {layout}": step(
            models.load(args.network), config, device, layout, precision, args.crop, args.batch
        )
        for precision, layout in product(PRECISIONS, LAYOUTS)
    }
    count = 1 if args.toy or device.type == "cpu" else STEPS
    seconds = {name: [] for name in steps}
    for repeat in range(args.repeats + 1):
        for name, one_step in steps.items():
            taken = timed(one_step, count, device)
            if repeat:  # the first warms up
                seconds[name].append(taken)
    best = {name: min(taken) for name, taken in seconds.items()}
    reference = next(iter(best.values()))
    for name, taken in best.items():
        report(name, args.batch / taken, "samples/s")
        report(f"{name}, against the reference", reference / taken, "times")


def step(
    network: Network,
    config: Config,
    device: torch.device,
    layout: str,
    precision: str,
    crop: int,
    batch: int,
) -> Callable[[], None]:
    """A training step of `network` on one random batch."""
    memory = LAYOUTS[layout]
    objective = Objective(network, config).to(device, memory_format=memory).train()
    optimizer = make_optimizer(objective, network, config.train)
    parameters = list(objective.parameters())
    torch.manual_seed(0)
    image, alpha = (torch.rand(batch, channels, crop, crop) for channels in (3, 1))
    trimap = torch.randint(3, alpha.shape) / 2
    image, trimap, alpha = (
        one.to(device).contiguous(memory_format=memory) for one in (image, trimap, alpha)
    )
    sample = MattingBatch(image, trimap, alpha, trimap == 0.5, None, None)

    def one_step() -> None:
        with autocast(device, precision):
            terms, _ = objective(sample)
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        clip_gradients(parameters, config.train)
        optimizer.step()

    return one_step


def timed(one_step: Callable[[], None], count: int, device: torch.device) -> float:
    """Seconds of a step, the mean of `count`."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(count):
        one_step()
    wait()
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    main()
