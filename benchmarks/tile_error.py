"""What tiles change in the mattes of photographs, enlarged three times, against the whole picture.

    python benchmarks/tile_error.py [--network NAME_OR_FILE]
        [--images DIR --alphas DIR --trimaps DIR]

For networks that see the whole picture at once, and for halos smaller than what the others see. By
default the shipped `large` on the photographs of `data/photographs`. It prints SAD, and how far the
unknown pixels differ: up to which difference 99.9 % of them, of all pictures together and of each.
Targets: 2/255 for a halo of 128, 1 % of SAD for networks that see the whole picture.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch

import models
from benchmarks.timing import parser, report
from utils.cli.arguments import path
from utils.cli.command import run
from utils.images.reading import read_alpha, read_image, read_trimap, to_8_bits
from utils.images.trimap_values import UNKNOWN
from utils.infer.inference import HALO, Inference
from utils.metrics import sad
from utils.networks.device import deployed
from utils.score.pictures import match

PHOTOGRAPHS = Path(__file__).resolve().parents[1] / "data" / "photographs"
CPU = torch.device("cpu")
HALOS = (32, 64, 96, HALO)
ENLARGED = 3


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--network", default="large", metavar="NAME_OR_FILE", help="trained")
    for name in ("image", "alpha", "trimap"):
        folder = PHOTOGRAPHS / name
        options.add_argument(f"--{name}s", type=path, default=folder, metavar="DIR")
    args = options.parse_args(argv)
    torch.set_num_threads(1)
    network = deployed(models.load(args.network), CPU)
    halos = (HALO,) if network.radius is None else HALOS
    pictures = match(args.images, args.alphas, args.trimaps)
    differences: dict[int, list[np.ndarray]] = {halo: [] for halo in halos}
    sums: dict[str, list[float]] = {}
    for picture in pictures[: 1 if args.toy else None]:
        image, trimap = read_image(picture.image), read_trimap(picture.trimap)
        alpha = read_alpha(picture.alpha)
        if not args.toy:
            image, alpha = (enlarged(one, cv2.INTER_CUBIC) for one in (image, alpha))
            trimap = enlarged(trimap, cv2.INTER_NEAREST)
        whole = Inference("whole").alpha(network, image, trimap, CPU)
        sums.setdefault("whole", []).append(sad(to_8_bits(whole), alpha, trimap))
        for halo, found in differences.items():
            tiled = Inference("tile", halo=halo).alpha(network, image, trimap, CPU)
            sums.setdefault(f"halo {halo}", []).append(sad(to_8_bits(tiled), alpha, trimap))
            found.append(255 * np.abs(tiled - whole)[trimap == UNKNOWN])
            report(f"{picture.name}, halo {halo}, 99.9 % of the pixels", within(found[-1]), "/255")
    for halo, found in differences.items():
        report(f"halo {halo}, 99.9 % of all pixels", within(np.concatenate(found)), "/255")
    for name, values in sums.items():
        report(f"{name}, SAD", float(np.mean(values)), "SAD")


def enlarged(picture: np.ndarray, interpolation: int) -> np.ndarray:
    return cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=interpolation)


def within(differences: np.ndarray) -> float:
    return float(np.quantile(differences, 0.999))


if __name__ == "__main__":
    run(main)
