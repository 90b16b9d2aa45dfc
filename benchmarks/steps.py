"""Samples a second of a training step, by memory layout and precision; and where its time goes.

    python benchmarks/steps.py [--network large] [--crop 320] [--batch 32] [--device cuda]
        [--profile]

The reference is float32 in contiguous layout. A step is the pass forward and backward and the
optimiser's step with the losses of configs/mobile_unet_large.yaml, on one random batch that lies on
the device: what loaders make is not in it (benchmarks/loader.py). `--profile` also prints the
operations of the fastest that take most of its time, on CUDA by their kernels.
"""

import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.timing import parser, report

PARSER = parser(__doc__)
PARSER.add_argument("--network", default="large", metavar="NAME_OR_FILE", help="(large)")
PARSER.add_argument("--crop", type=int, default=320, metavar="PIXELS", help="(320)")
PARSER.add_argument("--batch", type=int, default=32, metavar="N", help="(32)")
PARSER.add_argument("--device", default="auto", help="auto, cpu or cuda (auto)")
PARSER.add_argument("--repeats", type=int, default=5, metavar="N", help="(5)")
PARSER.add_argument("--profile", action="store_true", help="print the longest operations")
if __name__ == "__main__":
    PARSER.parse_args()

import torch

from models import Network
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.config.options import Config
from utils.networks.device import autocast, choose
from utils.networks.loading import open_network
from utils.tasks.matting import MattingBatch
from utils.train.objective import Objective
from utils.train.optimizer import clip_gradients, make_optimizer

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
PRECISIONS = ("float32", "bfloat16")
STEPS = 10  # of one timing on a GPU
ROWS = 20  # operations that are told


def main(argv: Sequence[str] | None = None) -> None:
    args = PARSER.parse_args(argv)
    if min(args.repeats, args.crop, args.batch) < 1:
        PARSER.error("--repeats, --crop, --batch: give whole numbers from 1")
    if args.toy:
        args.network, args.crop, args.batch, args.repeats = "small", 32, 2, 1
    device = choose(args.device)
    config = load(CONFIGS / "mobile_unet_large.yaml", ["network.start=null"])
    steps = {
        f"{precision}, {layout}": step(
            open_network(args.network), config, device, layout, precision, args.crop, args.batch
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
    if args.profile:
        fastest = min(best, key=best.get)
        print(profiled(steps[fastest], device))


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


def profiled(one_step: Callable[[], None], device: torch.device) -> str:
    """A table of the operations that take longest."""
    kinds = torch.profiler.ProfilerActivity
    cuda = device.type == "cuda"
    with torch.profiler.profile(activities=[kinds.CPU, *([kinds.CUDA] if cuda else [])]) as found:
        one_step()
    by = f"self_{'device' if cuda else 'cpu'}_time_total"
    return found.key_averages().table(sort_by=by, row_limit=ROWS, max_name_column_width=80)


if __name__ == "__main__":
    main()
