"""Networks that average over the picture: their tiles take the means of all of it."""

from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import models
from models.layers.basic import GlobalMean
from models.network import pad_to_multiple
from tests import scripts
from tests.inference import CPU, Echo, noisy_picture, random_trimap, whole
from tests.sets import picture
from utils.cli.problems import warn_once
from utils.images.reading import read_image, read_trimap
from utils.infer import inference
from utils.infer.context import whole_picture_means
from utils.infer.inference import Inference, compute_alphas

PHOTOGRAPHS = scripts.REPOSITORY / "data" / "photographs"


class Average(Echo):
    """Its matte is the mean colour of the picture, everywhere."""

    def __init__(self) -> None:
        super().__init__(radius=None)
        self.everywhere = GlobalMean()

    def compute(self, image: Tensor, trimap: Tensor, stages: None) -> Tensor:
        mean = self.everywhere(F.avg_pool2d(pad_to_multiple(image, self.stride), self.stride))
        return super().compute(image, trimap, stages) * 0 + mean.mean()


@pytest.mark.parametrize(
    ("height", "width", "side"), [(640, 480, 320), (411, 317, 96), (70, 3001, 320)]
)
def test_the_mean_of_all_parts_is_that_of_the_picture(height, width, side):
    image, trimap = noisy_picture(0, height, width), np.zeros((height, width), np.uint8)
    image[: height // 3] //= 4
    trimap[5, 7] = trimap[-9, -20] = 128
    network = Average()
    tiled = Inference("tile", tile=side, halo=32).alpha(network, image, trimap, CPU)
    assert len(network.shapes) == 2  # passes for the mean end with it
    expected = whole(network, image, trimap)
    assert np.abs(tiled - expected).max() < 1e-6 and expected[5, 7] > 0.1


def test_tiles_of_a_photograph_are_nearer_to_the_whole_for_it(monkeypatch):
    network = models.load("small")
    image = read_image(PHOTOGRAPHS / "image" / "dog.jpg")[:448, :448]
    trimap = read_trimap(PHOTOGRAPHS / "trimap" / "dog.png")[:448, :448]
    exact, options = whole(network, image, trimap), Inference("tile", halo=64, tile=320)

    def error() -> float:
        return np.abs(options.alpha(network, image, trimap, CPU) - exact)[trimap == 128].mean()

    near = error()
    monkeypatch.setattr(inference, "whole_picture_means", lambda *_: nullcontext())
    assert near < 0.3 * error()


def test_colours_that_a_part_does_not_know_are_no_part_of_their_mean():
    plan = models.scaled_plan("mobile_unet", 1 / 16, guess=True)
    network = models.build("mobile_unet", plan, guess=True).eval()
    image, trimap = noisy_picture(2, 200, 300), np.full((200, 300), 128, np.uint8)
    trimap[:20, :30], trimap[90:, 200:] = 255, 0
    forward, seen = partial(compute_alphas, network, "float32"), []
    layer = network.guess.everywhere
    with layer.register_forward_hook(lambda *call: seen.append(call[-1])):
        forward(image[None], trimap[None])
    with whole_picture_means(network, forward, image, trimap, 96), torch.inference_mode():
        torch.testing.assert_close(layer(torch.zeros(1, 8, 2, 2)), *seen)


def test_a_picture_that_fits_a_tile_is_taken_whole_by_a_network_that_sees_all_of_it():
    trimap = random_trimap(0, 200, 300)
    for radius, sizes in ((None, [(1, 200, 300)]), (32, None)):
        network = Echo(radius)
        Inference("tile", halo=32, tile=256).matte(network, picture(0, 200, 300), trimap, CPU)
        assert (network.shapes == sizes) == (radius is None)


def test_that_tiles_give_another_matte_is_said_once_a_run_not_once_a_picture(caplog):
    warn_once.cache_clear()
    trimap = np.zeros((130, 170), np.uint8)
    trimap[60, 50:100] = 128
    for index in range(3):
        options = Inference("tile", tile=128, halo=32)
        options.matte(Average(), picture(index, 130, 170), trimap, CPU)
    told = "echo sees the whole picture at once: in tiles its matte is another one, see "
    assert caplog.messages == [f"{told}docs/testing.md"]
