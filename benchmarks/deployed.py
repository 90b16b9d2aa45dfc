"""Deployed networks against the same as they are loaded: milliseconds of one picture.

    python benchmarks/deployed.py
    THP_MEM_ALLOC_ENABLE=0 python benchmarks/deployed.py    without large pages of memory

The shipped networks at 320 x 320 and 800 x 600, and others, of random weights, at 320; processor
time of one thread. Target: never slower.
"""

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

import models
from benchmarks.timing import fastest, parser, report_pair
from models.files.saving import shipped_networks
from utils.networks.device import deployed

OTHERS = ("dim", "dim_vgg", "gca", "indexnet")


@torch.inference_mode()
def main(argv: Sequence[str] | None = None) -> None:
    toy = parser(__doc__).parse_args(argv).toy
    networks = {name: models.load(path) for name, path in shipped_networks().items()}
    for name in OTHERS[:1] if toy else OTHERS:
        plan = models.scaled_plan(name, 1 / 16 if toy else 1)
        networks[f"{name}, random"] = models.build(name, plan).eval()
    for title, network in networks.items():
        ours = deployed(network, torch.device("cpu"))
        for height, width in [(32, 32)] if toy else [(320, 320), (600, 800)]:
            if height > 320 and "random" in title:
                continue
            image = torch.rand(1, 3, height, width)
            trimap = torch.full((1, 1, height, width), 128 / 255)
            trimap[..., : width // 2], trimap[..., -width // 3 :] = 0, 1
            calls = [partial(one, image, trimap) for one in (network, ours)]
            times = fastest(calls, 1 if toy else 10, time.process_time)
            report_pair(f"{title}, {width} x {height}", *times, "ms", 1000)


if __name__ == "__main__":
    main()
