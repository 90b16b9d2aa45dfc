"""Deployed networks against the same as they are loaded: milliseconds of one picture.

    python benchmarks/deployed.py
    THP_MEM_ALLOC_ENABLE=0 python benchmarks/deployed.py    without large pages of memory

The shipped networks at 320 x 320 and 800 x 600, on one thread (processor time) and on two; other
networks, of random weights, at 320 on one. Target: never slower.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

import models
from benchmarks.timing import fastest, parser, report
from models import Network
from models.files.saving import shipped_networks
from utils.networks.device import deployed

SIZES = ((320, 320), (600, 800))
OTHERS = ("dim", "dim_vgg", "gca", "indexnet")
CLOCKS = {1: time.process_time, 2: time.perf_counter}


@torch.inference_mode()
def main(argv: Sequence[str] | None = None) -> None:
    toy = parser(__doc__).parse_args(argv).toy
    repeats = 1 if toy else 10
    for path in shipped_networks().values():
        for height, width in ((32, 32),) if toy else SIZES:
            for threads in CLOCKS:
                title = f"{path.stem}, {width} x {height}, threads {threads}"
                measure(title, models.load(path), height, width, threads, repeats)
    for name in OTHERS[:1] if toy else OTHERS:
        network = models.build(name, models.scaled_plan(name, 1 / 16 if toy else 1)).eval()
        side = 32 if toy else 320
        measure(f"{name}, {side} x {side}, threads 1", network, side, side, 1, repeats)


def measure(
    title: str, network: Network, height: int, width: int, threads: int, repeats: int
) -> None:
    image, trimap = torch.rand(1, 3, height, width), torch.full((1, 1, height, width), 128 / 255)
    trimap[..., : width // 2], trimap[..., -width // 3 :] = 0, 1
    ours = deployed(network, torch.device("cpu"))
    calls = [lambda: network(image, trimap), lambda: ours(image, trimap)]
    loaded, sooner = fastest(calls, repeats, CLOCKS[threads], threads)
    report(f"{title}, as loaded", 1000 * loaded, "ms")
    report(f"{title}, deployed", 1000 * sooner, "ms")
    report(f"{title}, as loaded / deployed", loaded / sooner, "times")


if __name__ == "__main__":
    main()
