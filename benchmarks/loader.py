"""Training samples a second, one worker, against the loader of released matting code.

    python benchmarks/loader.py [--foregrounds 12]

Both make crops of 320 of the same PNG foregrounds of 1.5 megapixels (rendered, with exact mattes)
over JPEGs of 640 x 480, none of which is kept decoded. The plain loader decodes, composes and
dilates whole pictures, then keeps a crop. Targets: 15 times as fast, 8 times with the augmentation
of GCA.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.transforms import ColorJitter

from benchmarks.timing import fastest, parser, positive, report
from utils import render as sample
from utils.cli.arguments import CONFIGS
from utils.config import load
from utils.data.folders import backgrounds, foregrounds
from utils.data.loader import prepare_process
from utils.data.sources import Sources
from utils.data.split import write_split
from utils.data.store import build_store
from utils.images.writing import write_image
from utils.render.backgrounds import background

KINDS = ("hair", "fur", "smoke", "glass", "net", "leaves")
SAMPLES = 64


def main(argv: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--foregrounds", type=positive, default=12, metavar="N", help="(12)")
    args = options.parse_args(argv)
    if args.foregrounds < 2:
        options.error("--foregrounds 1: give 2, to train and to validate")
    side, scenes, crop, count = (240, 2, 48, 4) if args.toy else (1500, 64, 320, SAMPLES)
    prepare_process()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bench"
        render(root, args.foregrounds, scenes, side)
        build_store(root)
        write_split(root, 1 / args.foregrounds, seed=0)
        plain = Plain(root, crop)
        calls = [lambda: [plain.sample() for _ in range(4)]]
        for published in (None, CONFIGS / "gca.yaml"):
            place = [f"data.root={root.parent}", f"data.dataset={root.name}", f"data.crop={crop}"]
            more = ["data.cache_mb=0", "data.backgrounds_per_foreground=100"]
            samples = Sources(load(published, [*place, *more])).samples("train")
            chosen = np.random.default_rng(0).integers(len(samples), size=count).tolist()
            calls.append(lambda samples=samples, chosen=chosen: [samples[0, i] for i in chosen])
        plain_time, *times = fastest(calls, 1 if args.toy else 5)
    report("plain loader", 4 / plain_time, "samples/s")
    for name, seconds in zip(("ours", "ours with GCA's augmentation"), times, strict=True):
        report(name, count / seconds, "samples/s")
        report(f"{name} / plain", plain_time / 4 / (seconds / count), "times")


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


class Plain:
    """Crops as released matting code makes them: everything is done to the whole picture.

    A crop is once, one and a half or two times as large as the sample.
    """

    def __init__(self, root: Path, crop: int) -> None:
        self._sources, self._scenes = foregrounds(root, "train"), backgrounds(root, "train")
        self._crop, self._rng = crop, np.random.default_rng(0)
        self._jitter = ColorJitter(0.125, 0.125, 0.125, 0.125)

    def sample(self) -> tuple[torch.Tensor, ...]:
        """(image (3,crop,crop), trimap (1,crop,crop), alpha (1,crop,crop)), float32 in [0, 1]."""
        rng, crop = self._rng, self._crop
        source = self._sources[rng.integers(len(self._sources))]
        colour = cv2.imread(str(source.fg))
        alpha = cv2.imread(str(source.alpha), cv2.IMREAD_GRAYSCALE)
        scene = cv2.imread(str(self._scenes[rng.integers(len(self._scenes))]))
        height, width = alpha.shape
        ratio = max(width / scene.shape[1], height / scene.shape[0])
        if ratio > 1:
            size = (int(np.ceil(scene.shape[1] * ratio)), int(np.ceil(scene.shape[0] * ratio)))
            scene = cv2.resize(scene, size, interpolation=cv2.INTER_CUBIC)
        share = alpha[..., None].astype(np.float32) / 255
        image = (share * colour + (1 - share) * scene[:height, :width]).astype(np.uint8)

        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, 2 * (int(rng.integers(2, 6)),))
        steps = int(rng.integers(1, 20))
        trimap = np.full_like(alpha, 128)
        trimap[cv2.dilate(alpha, kernel, iterations=steps) == 0] = 0
        trimap[cv2.erode(alpha, kernel, iterations=steps) == 255] = 255
        rows, columns = np.where(trimap == 128)
        at = rng.integers(len(rows))
        side = int(crop * (1, 1.5, 2)[rng.integers(3)])
        top = int(np.clip(rows[at] - side // 2, 0, height - side))
        left = int(np.clip(columns[at] - side // 2, 0, width - side))
        window = slice(top, top + side), slice(left, left + side)
        image, alpha = (cv2.resize(one[window], (crop, crop)) for one in (image, alpha))
        trimap = cv2.resize(trimap[window], (crop, crop), interpolation=cv2.INTER_NEAREST)
        if rng.random() < 0.5:
            image, alpha, trimap = image[:, ::-1], alpha[:, ::-1], trimap[:, ::-1]
        image = np.asarray(self._jitter(Image.fromarray(np.ascontiguousarray(image[..., ::-1]))))
        planes = (image.transpose(2, 0, 1), trimap[None], alpha[None])
        return tuple(torch.from_numpy(plane / np.float32(255)) for plane in planes)


if __name__ == "__main__":
    main()
