"""Tiles against the whole picture: time, memory, and what they change in mattes of photographs.

    python benchmarks/tiles.py [--network NAME_OR_FILE | --large]

On one thread. First DIM of a quarter of its width and random weights, on 8 megapixels of which a
tenth is unknown; targets: 1.5 times faster, and a full halo equal to 1e-5. Then a trained network
on `data/photographs`, enlarged three times: SAD, and how far 99.9 % of the unknown pixels differ.
`--large` has DIM of full width on 6000 x 4000 pixels in tiles alone, which takes minutes.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch

import models
from benchmarks.timing import fastest, parser, peak_above_inputs, report
from models import Network
from utils import render as sample
from utils.images.reading import read_alpha, read_image, read_trimap, to_8_bits
from utils.images.trimap import UNKNOWN, make_trimap
from utils.infer.inference import HALO, Inference
from utils.metrics import sad
from utils.networks.device import deployed
from utils.score.sets import match

PHOTOGRAPHS = Path(__file__).resolve().parents[1] / "data" / "photographs"
CPU = torch.device("cpu")


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    only = options.add_mutually_exclusive_group()
    only.add_argument("--network", default="large", metavar="NAME_OR_FILE", help="trained (large)")
    only.add_argument("--large", action="store_true", help="only 6000 x 4000, full width")
    args = options.parse_args(argv)
    torch.set_num_threads(1)
    if args.large:
        size = (160, 240) if args.toy else (4000, 6000)
        peak = peak_above_inputs(matte_large, inputs_large, size, (160, 160))
        report(f"{size[1]} x {size[0]}, full width, peak above the inputs", peak / 1e9, "GB")
        return
    times(dim(1 / 32 if args.toy else 0.25), *((240, 340) if args.toy else (2400, 3400)))
    network = deployed(models.load(args.network), CPU)
    photographs(network, *((1, 1) if args.toy else (3, None)))


def times(network: Network, height: int, width: int) -> None:
    image, trimap = picture(height, width)
    title = f"{trimap.size / 1e6:.1f} megapixels"
    report(f"{title}, unknown", 100 * float((trimap == UNKNOWN).mean()), "%")
    ways = [Inference("whole"), *(Inference("tile", halo=halo) for halo in (64, HALO, "full"))]
    whole, *tiled = fastest([lambda w=w: w.alpha(network, image, trimap, CPU) for w in ways], 1)
    for way, seconds in zip(ways[1:], tiled, strict=True):
        report(f"{title}, halo {way.halo}, whole / tile", whole / seconds, "times")
    exact, full = (ways[index].alpha(network, image, trimap, CPU) for index in (0, -1))
    report(f"{title}, full halo, largest difference", float(np.abs(exact - full).max()), "alpha")


def photographs(network: Network, enlarged: int, count: int | None) -> None:
    halos = (HALO,) if network.radius is None else (32, 64, 96, HALO)
    sums, differences = {}, {}
    for one in match(*(PHOTOGRAPHS / kind for kind in ("image", "alpha", "trimap")))[:count]:
        image, alpha, trimap = (
            cv2.resize(read(file), None, fx=enlarged, fy=enlarged, interpolation=way)
            for read, file, way in (
                (read_image, one.image, cv2.INTER_CUBIC),
                (read_alpha, one.alpha, cv2.INTER_CUBIC),
                (read_trimap, one.trimap, cv2.INTER_NEAREST),
            )
        )
        whole = Inference("whole").alpha(network, image, trimap, CPU)
        sums.setdefault("whole", []).append(sad(to_8_bits(whole), alpha, trimap))
        for halo in halos:
            tiled = Inference("tile", halo=halo).alpha(network, image, trimap, CPU)
            sums.setdefault(f"halo {halo}", []).append(sad(to_8_bits(tiled), alpha, trimap))
            off = 255 * np.abs(tiled - whole)[trimap == UNKNOWN]
            differences.setdefault(halo, []).append(off)
    for halo, parts in differences.items():
        most = float(np.quantile(np.concatenate(parts), 0.999))
        report(f"photographs, halo {halo}, 99.9 % of the unknown pixels", most, "/255")
    for name, values in sums.items():
        report(f"photographs, {name}, SAD", float(np.mean(values)), "SAD")


def inputs_large(height: int, width: int) -> tuple[Network, np.ndarray, np.ndarray]:
    return dim(1), *picture(height, width)


def matte_large(network: Network, image: np.ndarray, trimap: np.ndarray) -> None:
    Inference("tile").matte(network, image, trimap, CPU)


def dim(width: float) -> Network:
    network = models.build("dim", models.scaled_plan("dim", width)).eval()
    return network.to(memory_format=torch.channels_last)


def picture(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A tenth of it unknown, as of photographs: the band is 1 % of the height to either side."""
    layers = (cv2.resize(one, (width, height)) for one in sample.foreground("motion_000", size=600))
    image, alpha = layers
    return image, make_trimap(alpha, max(1, height // 100))


if __name__ == "__main__":
    main()
