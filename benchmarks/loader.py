"""Training samples a second, one worker, cut from the store.

    python benchmarks/loader.py [--foregrounds 12]

Crops of 320 of PNG foregrounds of 1.5 megapixels (rendered, with exact mattes) over JPEGs of 640 x
480, which are not kept decoded; plain, and with GCA's augmentation.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from benchmarks.timing import fastest, parser, positive, report
from utils import render as sample
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.data.crops.crop_set import Sources
from utils.data.loader import prepare_process
from utils.data.split import write_split
from utils.data.store import build_store
from utils.images.writing import write_image
from utils.render.backgrounds import background

KINDS = ("hair", "fur", "smoke", "glass", "net", "leaves")


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--foregrounds", type=positive, default=12, metavar="N", help="(12)")
    args = options.parse_args(argv)
    if args.foregrounds < 2:
        options.error("--foregrounds 1: give 2, to train and to validate")
    side, scenes, crop, count = (240, 2, 48, 4) if args.toy else (1500, 64, 320, 64)
    prepare_process()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bench"
        render(root, args.foregrounds, scenes, side)
        build_store(root)
        write_split(root, 1 / args.foregrounds, seed=0)
        for name, published in (("plain", None), ("GCA's augmentation", CONFIGS / "gca.yaml")):
            place = [f"data.root={root.parent}", f"data.dataset={root.name}", f"data.crop={crop}"]
            more = ["data.cache_mb=0", "data.backgrounds_per_foreground=100"]
            samples = Sources(load(published, [*place, *more])).samples("train")
            chosen = np.random.default_rng(0).integers(len(samples), size=count).tolist()
            make = [lambda samples=samples, chosen=chosen: [samples[0, i] for i in chosen]]
            report(name, count / fastest(make, 1 if args.toy else 5)[0], "samples/s")


def render(root: Path, count: int, scenes: int, side: int) -> None:
    """Foregrounds as PNG, and backgrounds as JPEG."""
    for index in range(count):
        name = f"{KINDS[index % len(KINDS)]}_{index:03d}"
        size = (side, 2 * side // 3)[:: 1 if index % 2 else -1]
        layers = sample.foreground(name, size=side)
        colour, alpha = (cv2.resize(one, size) for one in layers)
        # A photograph has noise, which PNG cannot compress.
        grain = np.random.default_rng(index).normal(0, 1.2, colour.shape)
        colour = (colour + grain).round().clip(0, 255).astype(np.uint8)
        write_image(root / "train" / "fg" / f"{name}.png", colour)
        write_image(root / "train" / "alpha" / f"{name}.png", alpha)
    for index in range(scenes):
        shape = (480, 640) if scenes > 2 else (60, 80)
        scene = background(np.random.default_rng(index), shape)
        write_image(root / "train" / "bg" / f"{index}.jpg", scene)


if __name__ == "__main__":
    main()
