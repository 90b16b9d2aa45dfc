"""Tiny data sets, made where a test wants them."""

from pathlib import Path

import cv2
import numpy as np

from utils.data.split import write_split
from utils.data.store import build_store
from utils.images.trimap import make_trimap
from utils.images.writing import write_image

TEST_SIZES = {"a": (60, 70), "b": (81, 64), "c": (50, 50)}


def disc(height: int, width: int, softness: float = 3.0) -> np.ndarray:
    """A matte, uint8: 255 in a disc in the middle, 0 outside, a soft edge between."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    edge = (min(height, width) / 3 - distance) / softness + 0.5
    return (edge.clip(0, 1) * 255).round().astype(np.uint8)


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth coloured picture, uint8 (H,W,3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def prepare(root: Path, valid_share: float = 0.25) -> Path:
    """Split a set and decode its store, as pre_process.py and data_gen.py do."""
    write_split(root, valid_share, seed=0)
    build_store(root)
    return root


def write_set(root: Path, train: int = 4, test: int = 2, size: tuple[int, int] = (72, 88)) -> Path:
    """A data set of discs under `root`: {train,test}/{fg,alpha,bg}."""
    for part, count in (("train", train), ("test", test)):
        for index in range(count):
            name = f"{part}{index}.png"
            write_image(root / part / "fg" / name, picture(index, *size))
            write_image(root / part / "alpha" / name, disc(*size, softness=2 + 3 * index))
            write_image(root / part / "bg" / name, picture(100 + index, 64, 80))
    return root


def write_test_set(root: Path) -> dict[str, Path]:
    """Three pictures under `root`, in the folders image, alpha, trimap and pred, by these names."""
    for index, (name, size) in enumerate(TEST_SIZES.items()):
        alpha = disc(*size, softness=4 + index)
        write_image(root / "image" / f"{name}.jpg", picture(index, *size))
        write_image(root / "alpha" / f"{name}.png", alpha)
        write_image(root / "trimap" / f"{name}.png", make_trimap(alpha, 5))
        write_image(root / "pred" / f"{name}.png", disc(*size, softness=9))
    return {name: root / name for name in ("image", "alpha", "trimap", "pred")}
