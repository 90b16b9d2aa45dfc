"""Networks, pictures and trimaps that show what inference does with them."""

import numpy as np
import torch
from torch import Tensor, nn

import models
from models.channels import Channels
from models.network import MattingNetwork, Network
from tests.sets import picture
from utils.infer.inference import Inference

CPU = torch.device("cpu")


def varied_dim(**structure) -> Network:
    """A small DIM whose mattes vary and depend on all that they can see.

    At some widths oneDNN sums in another order in another place, and then a tie between two maxima
    may fall differently; not at this one.
    """
    torch.manual_seed(0)
    plan = dict.fromkeys(models.build("dim", **structure).plan, 8)
    network = models.build("dim", plan, **structure)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 1, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.1, 0.5)
    return network.eval()


class Echo(MattingNetwork):
    """Its matte is the red channel; it remembers which inputs it has seen."""

    name = "echo"

    def __init__(self, radius: int | None = 0) -> None:
        super().__init__(Channels(), {}, {})
        self.radius_, self.shapes, self.trimaps = radius, [], []

    @property
    def radius(self) -> int | None:
        return self.radius_

    def compute(self, image: Tensor, trimap: Tensor, stages: None) -> Tensor:
        self.shapes.append((len(image), *image.shape[2:]))
        self.trimaps.append(trimap)
        return image[:, :1]

    @property
    def pixels(self) -> int:
        return sum(count * height * width for count, height, width in self.shapes)


def noisy_picture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-40, 40, (height, width, 3))
    return (picture(seed, height, width) + noise).clip(0, 255).astype(np.uint8)


def random_trimap(seed: int, height: int, width: int, blobs: int = 3) -> np.ndarray:
    """Foreground above, background below; unknown rectangles anywhere."""
    rng = np.random.default_rng(seed)
    trimap = np.zeros((height, width), np.uint8)
    trimap[: height // 2] = 255
    for _ in range(blobs):
        y, x = rng.integers(height), rng.integers(width)
        trimap[y : y + rng.integers(1, 60), x : x + rng.integers(1, 60)] = 128
    return trimap


def whole(network: Network, image: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    return Inference("whole").alpha(network, image, trimap, CPU)
