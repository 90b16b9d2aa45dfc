"""Tiles against the whole picture: time, difference and peak memory, on one thread.

    python benchmarks/tiles.py [--large | --sizes]

A tenth of the picture is unknown, as of photographs; DIM has a quarter of its width, and weights
that do not matter. `--large` measures DIM of full width on 6000 x 4000 pixels, which takes minutes;
`--sizes` how a process grows that mattes pictures of forty sizes.
Targets: 1.5 times faster from 8 megapixels on, `auto` never slower, a full halo equal to 1e-5, and
3 GB for the large picture.
"""

import resource
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch

import models
from benchmarks.timing import compare, parser, peak_above_inputs, report
from models import Network
from utils import render as sample
from utils.images.trimap import make_trimap
from utils.images.trimap_values import UNKNOWN
from utils.infer.inference import HALO, Inference

CPU = torch.device("cpu")
COUNT = 40


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    only = options.add_mutually_exclusive_group()
    only.add_argument("--large", action="store_true", help="only 6000 x 4000, full width")
    only.add_argument("--sizes", action="store_true", help="only the memory of many image sizes")
    args = options.parse_args(argv)
    torch.set_num_threads(1)
    if args.large:
        large((160, 240) if args.toy else (4000, 6000))
    elif args.sizes:
        sizes(2 if args.toy else COUNT)
    elif args.toy:
        times(dim(1 / 32), (240, 340), (60, 80), repeats=1)
    else:
        times(dim(0.25), (2400, 3400), (600, 800))


def times(
    network: Network, size: tuple[int, int], small_size: tuple[int, int], repeats: int = 5
) -> None:
    """Tiles of a large picture, where they pay, and of a small one, where they do not."""
    image, trimap = picture(*size)
    small = picture(*small_size)
    title = f"{trimap.size / 1e6:.0f} megapixels"
    small_title = f"{small_size[1]} x {small_size[0]}"
    report(f"{title}, unknown", 100 * float((trimap == UNKNOWN).mean()), "%")

    def matte(image: np.ndarray, trimap: np.ndarray, **options):
        return lambda: Inference(**options).alpha(network, image, trimap, CPU)

    for halo in (64, HALO, network.radius):
        tiles = Inference("tile", halo=halo).tiles(network, trimap == UNKNOWN)
        share = sum(tile.outer.pixels for tile in tiles) / trimap.size
        report(f"{title}, halo {halo}, pixels in tiles / in the picture", share, "times")
        speeds = compare(
            matte(image, trimap, mode="whole"),
            matte(image, trimap, mode="tile", halo=halo),
            repeats=1,
        )
        report(f"{title}, halo {halo}, whole / tile", speeds.ratio, "times")
    speeds = compare(matte(*small, mode="whole"), matte(*small, mode="auto"), repeats)
    report(f"{small_title}, whole / auto", speeds.ratio, "times")
    exact, full = matte(*small, mode="whole")(), matte(*small, mode="tile", halo="full", tile=512)()
    report(
        f"{small_title}, full halo, largest difference", float(np.abs(exact - full).max()), "alpha"
    )


def large(size: tuple[int, int]) -> None:
    title = f"{size[1]} x {size[0]}, full width"
    peak = peak_above_inputs(matte_large, inputs_large, size, (160, 160))
    report(f"{title}, peak above picture and network", peak / 1e9, "GB")
    whole = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    report(f"{title}, peak of the process", whole / 1e9, "GB")


def sizes(most: int) -> None:
    for count in (1, most):
        peak = peak_above_inputs(matte_sizes, inputs_sizes, (count,), (1,))
        name = f"pictures of up to a megapixel, number of sizes {count}, peak above the network"
        report(name, peak / 1e6, "MB")


def inputs_sizes(count: int) -> tuple[Network, int]:
    return dim(0.25), count


def matte_sizes(network: Network, count: int) -> None:
    for number in range(count):
        less = number * 23 % COUNT  # in no order
        Inference("whole").matte(network, *picture(900 - 10 * less, 1100 - 11 * less), CPU)


def inputs_large(height: int, width: int) -> tuple[Network, np.ndarray, np.ndarray]:
    return dim(1), *picture(height, width)


def matte_large(network: Network, image: np.ndarray, trimap: np.ndarray) -> None:
    Inference("tile").matte(network, image, trimap, CPU)


def dim(width: float) -> Network:
    network = models.build("dim", models.scaled_plan("dim", width)).eval()
    return network.to(memory_format=torch.channels_last)


def picture(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A tenth of it unknown, as of photographs: the band is 1 % of the height to either side."""
    colour, alpha = sample.foreground("motion_000", size=600)
    image, alpha = (
        cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in (colour, alpha)
    )
    return image, make_trimap(alpha, max(1, height // 100))


if __name__ == "__main__":
    main()
