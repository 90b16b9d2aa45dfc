"""What TensorBoard shows: mattes as a user gets them, of different pictures, under titles."""

import numpy as np
import pytest
import torch

from tests.trainings import tiny_config
from utils.data.loader import validation_loader
from utils.figures.sheet import HEIGHT, WIDEST, scaled, sheet
from utils.networks.device import choose
from utils.tasks import Matting
from utils.train.validate import spread, validate


class Blotchy(torch.nn.Module):
    """Wrong where the matte is known, and out of range."""

    def forward(self, image, trimap):
        return torch.full_like(trimap, 1.5)


def test_known_pixels_are_exact_and_pictures_are_of_different_foregrounds(data):
    config = tiny_config(data, "data.valid_backgrounds=3")
    task = Matting(config)
    loader = validation_loader(task.sources(), config.train.batch_size, pin=False)
    how = (choose("cpu"), "float32", torch.contiguous_format)
    pictures = validate(Blotchy(), task, loader, *how).pictures
    assert list(pictures) == ["image", "trimap", "truth", "matte"]
    matte, trimap = pictures["matte"], pictures["trimap"]
    known = (trimap - 128 / 255).abs() > 0.01
    assert (matte[known] == trimap[known]).all() and (matte[~known] == 1).all()
    assert len(matte) == min(4, len(loader.dataset))


def test_pictures_are_spread_over_the_set():
    assert spread(12, 4) == [0, 3, 6, 9]
    assert spread(3, 4) == [0, 1, 2]


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (3, 5)])
def test_a_picture_of_any_shape_takes_little_of_a_sheet(size):
    picture = np.full(size, 100, np.uint8)
    cell = scaled(picture)
    assert cell.shape[0] == HEIGHT and 1 <= cell.shape[1] <= WIDEST
    assert (cell[0] == 100).all() and np.array_equal(scaled(cell), cell)
    assert sheet({"image": [picture], "matte": [picture]}).size < 1e7
