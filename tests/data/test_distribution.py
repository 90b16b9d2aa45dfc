"""Cropping first changes nothing that a network could see: the samples are distributed alike."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from benchmarks.plain_loader import Plain
from tests.sets import disc
from utils.config.options import AugmentConfig, DataConfig
from utils.data.crops.crop_set import CropSet, Item
from utils.data.folders import backgrounds, foregrounds
from utils.data.store.building import build_store
from utils.data.store.files import Store
from utils.images.trimap import draw_radius, make_trimap
from utils.images.writing import write_image

CROP, COUNT, RADIUS = 48, 600, (1, 12)
SIZE = (150, 190)


def textured(seed: int, height: int, width: int) -> np.ndarray:
    """Colours with detail at every scale, alike everywhere."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.normal(0, 22, (side, side, 3)), (width, height)) for side in (6, 24, 90)
    ]
    teeth = np.arange(width)[:, None] % 20  # slow to the right, steep to the left: a flip shows
    return (sum(layers) + 3 * teeth + rng.uniform(90, 160, 3)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("set")
    for index in range(3):
        matte = np.roll(disc(*SIZE, softness=3 + 8 * index), 25 * index, axis=1)
        write_image(root / "train" / "fg" / f"{index}.png", textured(index, *SIZE))
        write_image(root / "train" / "alpha" / f"{index}.png", matte)
    for index in range(6):
        size = SIZE if index % 2 else (75, 100)  # a smaller one is enlarged
        write_image(root / "train" / "bg" / f"{index}.png", textured(10 + index, *size))
    build_store(root)
    return root


@pytest.fixture(scope="module")
def plain(root) -> dict[str, np.ndarray]:
    def trimap(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return make_trimap(alpha, draw_radius(rng, *RADIUS))

    torch.manual_seed(0)  # of torchvision's jitter
    loader = Plain(foregrounds(root, "train"), backgrounds(root, "train"), CROP, trimap)
    return seen([tuple(part.numpy() for part in loader.sample()) for _ in range(COUNT)])


def ours(root: Path, radius: tuple[int, int] = RADIUS, **options) -> dict[str, np.ndarray]:
    scales = options.pop("crop_scales", (1.0, 1.5, 2.0))
    data = DataConfig(crop=CROP, trimap_radius=radius, crop_scales=scales)
    items = [Item(one) for one in foregrounds(root, "train") for _ in range(COUNT // 3)]
    behind = backgrounds(root, "train")
    samples = CropSet(Store(root), items, behind, data, AugmentConfig(**options), 0)
    made = (samples[0, index].sample for index in range(COUNT))
    return seen([tuple(part.numpy() / np.float32(255) for part in one[:3]) for one in made])


def seen(samples: list[tuple[np.ndarray, ...]]) -> dict[str, np.ndarray]:
    """What can be measured of each sample."""
    measures: dict[str, list[float]] = {}
    for image, trimap, alpha in samples:
        unknown = (trimap > 0.25) & (trimap < 0.75)
        hsv = cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2HSV)
        across = np.diff(image, axis=2)
        found = {
            "unknown": unknown.mean(),
            "foreground": (trimap > 0.75).mean(),
            "alpha": alpha.mean(),
            "soft": ((alpha > 0) & (alpha < 1)).mean(),
            "teeth": (across**3).mean() / across.std() ** 3,
            "up to down": np.diff(alpha[0], axis=0).mean(),
            "red": image[0].mean(),
            "contrast": image.std(),
            "saturation": hsv[..., 1].mean(),
            "detail": np.abs(across).mean(),
        }
        for name, value in found.items():
            measures.setdefault(name, []).append(float(value))
    return {name: np.array(values) for name, values in measures.items()}


def different(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> set[str]:
    """The measures whose distributions differ (Kolmogorov and Smirnov, one error in 5000 each)."""
    return {name for name in one if ks_2samp(one[name], other[name]).pvalue < 2e-4}


def test_samples_are_distributed_as_those_of_the_plain_loader(root, plain):
    assert different(ours(root), plain) == set()


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        ({"radius": (1, 8)}, "unknown"),
        ({"crop_scales": (1.0, 1.5)}, "detail"),
        ({"jitter": 0.0}, "contrast"),
        ({"flip": False}, "teeth"),
    ],
)
def test_the_comparison_notices_a_change(root, plain, change, noticed):
    assert noticed in different(ours(root, **change), plain)
