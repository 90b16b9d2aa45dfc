"""Tiles against the whole picture: time, difference and peak memory, on one thread.

    python benchmarks/tiles.py [--large | --sizes | --network FILE --pictures DIR --trimaps DIR]

A tenth of the picture is unknown, as of photographs; DIM has a quarter of its width, and weights
that do not matter. `--large` measures DIM of full width on 6000 x 4000 pixels, which takes minutes;
`--sizes` how a process grows that mattes pictures of forty sizes. With a trained network and
photographs, enlarged three times, it measures what smaller halos lose.
Targets: 1.5 times faster from 8 megapixels on, `auto` never slower, a full halo equal to 1e-5, 3 GB
for the large picture, and 2/255 for a halo of 128 at the 99.9th percentile.
"""

import argparse
import resource
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import models
from benchmarks.timing import compare, peak_above_inputs, report
from models import Network
from utils import render as sample
from utils.images.levels import UNKNOWN
from utils.images.listing import list_images
from utils.images.reading import read_image, read_trimap
from utils.images.trimap import make_trimap
from utils.infer.inference import HALO, Inference

CPU = torch.device("cpu")
HALOS = (32, 64, 96, HALO)
ENLARGED = 3
COUNT = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--large", action="store_true", help="only 6000 x 4000, full width")
    only.add_argument("--sizes", action="store_true", help="only what pictures of many sizes take")
    only.add_argument("--network", type=Path, metavar="FILE", help="trained, to measure halos")
    parser.add_argument("--pictures", type=Path, metavar="DIR")
    parser.add_argument("--trimaps", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    if arguments.network and not (arguments.pictures and arguments.trimaps):
        parser.error("--network needs --pictures and --trimaps")
    torch.set_num_threads(1)
    if arguments.large:
        large()
    elif arguments.sizes:
        sizes()
    elif arguments.network:
        halos(models.load(arguments.network), arguments.pictures, arguments.trimaps)
    else:
        times()


def times() -> None:
    network = dim(0.25)
    image, trimap = picture(2400, 3400)
    report("8 megapixels, unknown", 100 * float((trimap == UNKNOWN).mean()), "%")

    def matte(image: np.ndarray, trimap: np.ndarray, **options):
        return lambda: Inference(**options).alpha(network, image, trimap, CPU)

    for halo in (64, HALO, network.radius):
        tiles = Inference("tile", halo=halo).tiles(network, trimap == UNKNOWN)
        share = sum(tile.outer.pixels for tile in tiles) / trimap.size
        report(f"8 megapixels, halo {halo}, pixels in tiles / in the picture", share, "times")
        found = compare(
            matte(image, trimap, mode="whole"),
            matte(image, trimap, mode="tile", halo=halo),
            repeats=1,
        )
        report(f"8 megapixels, halo {halo}, whole / tile", found.ratio, "times")
    small = picture(600, 800)
    found = compare(matte(*small, mode="whole"), matte(*small, mode="auto"))
    report("800 x 600, whole / auto", found.ratio, "times")
    exact, full = matte(*small, mode="whole")(), matte(*small, mode="tile", halo="full", tile=512)()
    report("800 x 600, full halo, largest difference", float(np.abs(exact - full).max()), "alpha")


def halos(network: Network, pictures: Path, trimaps: Path) -> None:
    """What smaller halos lose, over the unknown pixels of all photographs together."""
    network.eval().to(memory_format=torch.channels_last)
    known = list_images(trimaps)
    errors: dict[int, list[np.ndarray]] = {halo: [] for halo in HALOS}
    for name, path in list_images(pictures).items():
        image, trimap = read_image(path), read_trimap(known[name])
        size = ENLARGED * image.shape[1], ENLARGED * image.shape[0]
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        trimap = cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST)
        whole = Inference("whole").alpha(network, image, trimap, CPU)
        for halo, found in errors.items():
            tiled = Inference("tile", halo=halo).alpha(network, image, trimap, CPU)
            found.append(255 * np.abs(tiled - whole)[trimap == UNKNOWN])
            worst = float(np.quantile(found[-1], 0.999))
            report(f"{name}, halo {halo}, 99.9th percentile of the difference", worst, "/255")
    for halo, found in errors.items():
        together = np.concatenate(found)
        for percent in (99.9, 99.99):
            value = float(np.percentile(together, percent))
            report(f"halo {halo}, {percent}th percentile of the difference", value, "/255")


def large() -> None:
    peak = peak_above_inputs(matte_large, inputs_large, (4000, 6000), (160, 160))
    report("6000 x 4000, full width, peak above picture and network", peak / 1e9, "GB")
    whole = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    report("6000 x 4000, full width, peak of the process", whole / 1e9, "GB")


def sizes() -> None:
    for count in (1, COUNT):
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
    return image, make_trimap(alpha, height // 100)


if __name__ == "__main__":
    main()
