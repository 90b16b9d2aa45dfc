"""What every network costs, full and pruned: time and peak memory of one picture, as a table.

    python benchmarks/networks.py [--networks gca pspnet] [--sizes 320x320 1080x1920]
        [--device cuda] [--precision bfloat16] [--repeats 2]

Half of the channels are cut, of IndexNet a quarter as published: of every group alike, to multiples
of 8. Weights are random, BatchNorms folded. Networks take turns; the fastest pass counts, on the
CPU in processor time of one thread. Memory is the peak above network and picture. Beside it is the
share of the machine's arithmetic: two operations a MAC, over those of a large matrix product in the
same run. Each measurement is printed when it is made, the table, in Markdown, at the end; in
brackets it has the speed-up over the ratio of MACs at that size. Target: at least 0.7 there on the
CPU, and DIM 3 times faster.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor

import models
from benchmarks.timing import fastest, parser, peak_above_inputs, positive, report
from models import Network
from models.registry import NETWORKS
from utils.cli.command import run as run_script
from utils.cli.table import table
from utils.networks import cost
from utils.networks.device import autocast, choose, deployed, without_tf32
from utils.prune import cut, select

SIZES = ((320, 320), (512, 512), (1080, 1920))
REPEATS = {"cpu": 5, "cuda": 50}
RATES = {"indexnet": 0.25}  # of the others half of the channels
TOY = {"width": 1 / 8, "sizes": ((64, 64),), "repeats": 1}
SMALL = (64, 64)  # of the first pass of a process, whose memory is not counted
SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices whose product is the limit


class Pass(NamedTuple):
    """What a picture takes in a network; `share` of the machine's arithmetic while it takes it."""

    macs: int
    seconds: float
    share: float
    peak: int


class Pair(NamedTuple):
    """What a picture takes in a full network and in the pruned one."""

    full: Pass
    pruned: Pass

    @property
    def faster(self) -> float:
        return self.full.seconds / self.pruned.seconds

    @property
    def kept(self) -> float:
        """How much of the MACs that are saved is time that is saved."""
        return self.faster * self.pruned.macs / self.full.macs


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options.add_argument(
        "--sizes", nargs="+", type=size, default=SIZES, metavar="HxW", help="height x width"
    )
    options.add_argument("--device", choices=REPEATS, default="cpu")
    options.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    options.add_argument(
        "--repeats", type=positive, metavar="N", help="the fastest counts (5, on CUDA 50)"
    )
    args = options.parse_args(argv)
    args.width, args.repeats = 1.0, args.repeats or REPEATS[args.device]
    if args.toy:
        vars(args).update(TOY)
    device = choose(args.device)
    rows = []
    for name in args.networks:
        networks = full_and_pruned(name, args.width)
        pairs = [measured(networks, s, device, args.precision, args.repeats) for s in args.sizes]
        rows += table_rows(networks, pairs)
    titles = (f"{height} x {width}" for height, width in args.sizes)
    print(table(("", "parameters", "MACs at 224", *titles), rows), flush=True)


def size(text: str) -> tuple[int, int]:
    """Height and width of `1080x1920`."""
    sides = text.split("x")
    if len(sides) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write height x width as 1080x1920")
    return positive(sides[0]), positive(sides[1])


def full_and_pruned(name: str, width: float = 1.0) -> list[Network]:
    """A network, its widths times `width`, and what the cut leaves of it."""
    full = models.build(name, models.scaled_plan(name, width), gates=True).eval()
    keep = select(full, RATES.get(name, 0.5), ties="uniform", round_to=8)
    return [full.folded(norms=False), cut(full, keep)]


def measured(
    networks: Sequence[Network],
    size: tuple[int, int],
    device: torch.device,
    precision: str,
    repeats: int,
) -> Pair:
    """What a picture of that size takes; reports every number."""
    copies = [deployed(network, device) for network in networks]
    inputs = noise(copies[0], *size)
    passes = [lambda one=one: run(precision, one, *inputs) for one in copies]
    factor = torch.rand(SIDE[device.type], SIDE[device.type], device=device)
    passes += [lambda: run(precision, factor.matmul, factor)]
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    *times, product = fastest(passes, repeats, clock)
    macs = [cost.macs(one, *size) for one in networks]
    limit = len(factor) ** 3 / product
    shares = [count / seconds / limit for count, seconds in zip(macs, times, strict=True)]
    peaks = [peak(network, size, precision) for network in copies]
    pair = Pair(*map(Pass, macs, times, shares, peaks))
    title = f"{networks[0].name}, {size[0]} x {size[1]}"
    for kind, one in pair._asdict().items():
        report(f"{title}, {kind}", 1000 * one.seconds, "ms")
        report(f"{title}, {kind}, share of the arithmetic", 100 * one.share, "%")
        report(f"{title}, {kind}, peak memory", one.peak / 1e6, "MB")
    report(f"{title}, full / pruned", pair.faster, "times")
    report(f"{title}, full / pruned, over the ratio of MACs", pair.kept, "times")
    return pair


def noise(network: Network, height: int, width: int) -> tuple[Tensor, ...]:
    """A picture and, where the network takes one, a trimap."""
    return tuple(torch.rand_like(one) for one in network.example(1, height, width))


@torch.inference_mode()
def run(precision: str, network: Callable[..., object], *inputs: Tensor) -> None:
    """One pass, to its end."""
    device = inputs[0].device
    with autocast(device, precision), without_tf32():
        network(*inputs)
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak(network: Network, size: tuple[int, int], precision: str) -> int:
    """Bytes of one pass at its peak, above network and picture."""
    device = network.mean.device
    if device.type == "cpu":
        described = precision, network.name, network.plan, network.structure
        calls = [(*described, *sides) for sides in (size, SMALL)]
        return peak_above_inputs(run, described_inputs, *calls)
    inputs = noise(network, *size)
    run(precision, network, *inputs)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run(precision, network, *inputs)
    return torch.cuda.max_memory_allocated(device) - before


def described_inputs(
    precision: str, name: str, plan: Mapping[str, int], structure: dict, height: int, width: int
) -> tuple:
    """The arguments of `run`; the network is made anew in the process that measures it."""
    network = deployed(models.build(name, plan, **structure), torch.device("cpu"))
    return precision, network, *noise(network, height, width)


def table_rows(networks: Sequence[Network], pairs: Sequence[Pair]) -> list[list[str]]:
    """Three rows: full, pruned, and one divided by the other."""
    counts = [(cost.parameters(one), cost.macs(one, 224, 224)) for one in networks]
    rows = []
    for index, name in enumerate((f"`{networks[0].name}`", "pruned")):
        parameters, macs = counts[index]
        cells = [
            f"{1000 * one.seconds:.0f} ms ({one.share:.0%}), {one.peak / 1e6:.0f} MB"
            for one in (pair[index] for pair in pairs)
        ]
        rows.append([name, f"{parameters:,}", f"{macs / 1e9:.2f} G", *cells])
    ratios = [f"{full / pruned:.2f}" for full, pruned in zip(*counts, strict=True)]
    gains = [f"{pair.faster:.2f} ({pair.kept:.2f})" for pair in pairs]
    return [*rows, ["full / pruned", *ratios, *gains]]


if __name__ == "__main__":
    run_script(main)
