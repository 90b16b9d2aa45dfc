"""Training samples a second, one worker: cut from the store first, against the plain loader.

    python benchmarks/loader.py [--foregrounds 12]

Both make 320 crops of the same PNG foregrounds of 1.5 megapixels (rendered, with exact mattes)
over JPEGs of 640 x 480, none of which is kept decoded. The plain loader is what released matting
code does: decode, compose and dilate all, then keep a crop. Targets: 15 times as fast, 8 times with
GCA's augmentation, two workers 1.8 times one.
"""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from benchmarks.plain_loader import Plain
from benchmarks.timing import compare, parser, positive, report
from utils import config as configs
from utils import render as sample
from utils.cli.arguments import CONFIGS
from utils.config.options import Config
from utils.data.crops.crop_set import CropSet
from utils.data.folders import backgrounds, foregrounds
from utils.data.loader import prepare_process, training_loader
from utils.data.sources import Sources
from utils.data.split import write_split
from utils.data.store.building import build_store
from utils.data.store.files import store_folder
from utils.images.writing import write_image
from utils.render.backgrounds import background

KINDS = ("hair", "fur", "smoke", "glass", "net", "leaves")


class Size(NamedTuple):
    """How much is rendered and how often it is measured."""

    side: int = 1500  # of a foreground; the other side is two thirds of it
    scenes: int = 64
    scene: tuple[int, int] = (480, 640)
    crop: int = 320
    large_crop: int = 512
    batch: int = 16
    batches: int = 40  # in one timing of a DataLoader
    samples: int = 64  # in other timings
    repeats: int = 5
    starts: int = 3  # of each DataLoader


TOY = Size(240, 2, (60, 80), 48, 64, 2, 2, 4, 1, 1)


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--foregrounds", type=positive, default=12, metavar="N", help="(12)")
    args = options.parse_args(argv)
    if args.foregrounds < 2:
        options.error("--foregrounds 1: give 2, to train and to validate")
    size = TOY if args.toy else Size()
    logging.basicConfig(level=logging.WARNING)
    prepare_process()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bench"
        render(root, args.foregrounds, size)
        start = time.perf_counter()
        build_store(root)
        each = (time.perf_counter() - start) / args.foregrounds
        report("store, time to build, one process", each, "s/foreground")
        stored = sum(file.stat().st_size for file in store_folder(root).iterdir())
        report("store, size", stored / args.foregrounds / 1e6, "MB/foreground")
        png = sum(file.stat().st_size for file in (root / "train" / "fg").iterdir())
        report("PNG of the colours, size", png / args.foregrounds / 1e6, "MB/foreground")
        write_split(root, 1 / args.foregrounds, seed=0)
        measure(root, size)


def measure(root: Path, size: Size) -> None:
    # First, since the kernel keeps what a process has mapped.
    report("ours, cold store", 1 / cold(root, size), "samples/s")
    plain = Plain(foregrounds(root, "train"), backgrounds(root, "train"), size.crop)
    ours = Sources(options(root, f"data.crop={size.crop}")).samples("train")

    def seconds(samples: CropSet, count: int) -> tuple[float, float]:
        """Seconds a sample: of the plain loader, of ours."""
        times = compare(
            lambda: [plain.sample() for _ in range(4)], batch(samples, count), size.repeats
        )
        return times.reference / 4, times.ours / count

    slow, fast = seconds(ours, size.samples)
    report("plain loader", 1 / slow, "samples/s")
    report("ours, warm", 1 / fast, "samples/s")
    report("ours / plain", slow / fast, "times")
    for crop in (size.crop, size.large_crop):
        config = options(root, f"data.crop={crop}", published="gca.yaml")
        slow, fast = seconds(Sources(config).samples("train"), size.samples // 2)
        name = f"ours with GCA's augmentation, crop {crop}"
        report(name, 1 / fast, "samples/s")
        report(f"{name} / plain at {size.crop}", slow / fast, "times")
    speeds = [max(speed(root, n, size) for _ in range(size.starts)) for n in (1, 2)]
    for workers, rate in enumerate(speeds, 1):
        name = f"DataLoader of {workers} worker(s), batches of {size.batch}"
        report(name, rate, "samples/s")
    report("two workers / one", speeds[1] / speeds[0], "times")


def options(root: Path, *overrides: str, published: str | None = None) -> Config:
    place = [f"data.root={root.parent}", f"data.dataset={root.name}"]
    rest = ["data.cache_mb=0", "data.backgrounds_per_foreground=100"]
    return configs.load(CONFIGS / published if published else None, [*place, *rest, *overrides])


def render(root: Path, count: int, size: Size) -> None:
    """Foregrounds as PNG, and backgrounds as JPEG."""
    long, short = size.side, 2 * size.side // 3
    for index in range(count):
        name = f"{KINDS[index % len(KINDS)]}_{index:03d}"
        colour, alpha = sample.foreground(name, size=long)
        shape = (long, short) if index % 2 else (short, long)
        colour, alpha = (cv2.resize(one, shape[::-1]) for one in (colour, alpha))
        # A photograph has noise, which PNG cannot compress.
        grain = np.random.default_rng(index).normal(0, 1.2, colour.shape)
        colour = (colour + grain).round().clip(0, 255).astype(np.uint8)
        write_image(root / "train" / "fg" / f"{name}.png", colour)
        write_image(root / "train" / "alpha" / f"{name}.png", alpha)
    for index in range(size.scenes):
        rng = np.random.default_rng(index)
        write_image(root / "train" / "bg" / f"{index}.jpg", background(rng, size.scene))


def batch(samples: CropSet, count: int) -> Callable[[], list]:
    """A function that makes `count` samples, others at each call."""
    rng = np.random.default_rng(0)
    return lambda: [samples[0, int(index)] for index in rng.integers(len(samples), size=count)]


def cold(root: Path, size: Size) -> float:
    """Seconds a sample, when the store's pages are not in memory."""
    samples = Sources(options(root, f"data.crop={size.crop}")).samples("train")
    for file in store_folder(root).iterdir():
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    per_foreground = 100
    keys = range(0, len(samples), per_foreground)  # one of each
    start = time.perf_counter()
    for index in keys:
        samples[1, index]
    return (time.perf_counter() - start) / len(keys)


def speed(root: Path, workers: int, size: Size) -> float:
    """Samples a second that a DataLoader gives once its workers are at work."""
    sources = Sources(options(root, f"data.crop={size.crop}", f"data.workers={workers}"))
    loader = training_loader(sources, size.batch, epochs=1000, pin=False)
    batches = iter(loader)
    for _ in range(4 * workers):
        next(batches)
    start = time.perf_counter()
    for _ in range(size.batches):
        next(batches)
    taken = time.perf_counter() - start
    batches.close()
    return size.batch * size.batches / taken


if __name__ == "__main__":
    main()
