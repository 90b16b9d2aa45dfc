"""Shipped networks: small files, named in the card as they are, that matte better than a guess."""

from hashlib import sha256

import cv2
import numpy as np
import pytest
import torch

import models
from models.files.saving import PRETRAINED, shipped_networks
from tests.sets import disc
from utils.images.trimap import UNKNOWN, make_trimap
from utils.infer.inference import Inference
from utils.networks.cost import macs, parameters

SHIPPED = [*shipped_networks()]


def test_the_networks_that_the_readme_names_are_shipped():
    assert {"large", "medium", "small", "dim_quarter"} == {*SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_says_what_the_file_holds(name):
    network = models.load(name)
    card = (PRETRAINED / "README.md").read_text()
    (row,) = [line for line in card.splitlines() if line.startswith(f"| `{name}` |")]
    assert f"`{network.name}`" in row
    assert f"{parameters(network):,}" in row
    assert f"{macs(network, 224, 224) / 1e9:.2f} G" in row
    content = (PRETRAINED / f"{name}.safetensors").read_bytes()
    assert f"{len(content) / 1e6:.1f} MB" in row and len(content) < 20e6
    assert f"{sha256(content).hexdigest()}  {name}.safetensors" in card


@pytest.mark.parametrize("name", SHIPPED)
def test_a_soft_disc_is_matted_far_better_than_by_a_guess(name):
    alpha = disc(150, 200, softness=8)
    rng = np.random.default_rng(0)
    noise = rng.uniform(-40, 40, (2, 150, 200, 3))
    noise[0] += np.array((210, 120, 60))
    noise[1] += np.array((40, 90, 150))
    front, behind = (cv2.GaussianBlur(one, (0, 0), 1) for one in noise)
    weight = alpha[..., None] / 255
    image = weight * front + (1 - weight) * behind
    trimap = make_trimap(alpha, 12)
    unknown = trimap == UNKNOWN
    image = np.rint(image.clip(0, 255)).astype(np.uint8)
    matte = Inference().matte(models.load(name), image, trimap, torch.device("cpu"))
    errors = [np.abs(one - alpha.astype(float))[unknown].mean() / 255 for one in (matte, 127.5)]
    assert errors[0] < 0.25 * errors[1]


def test_torch_hub_loads_one():
    network = torch.hub.load(str(PRETRAINED.parent), "small", source="local")
    assert network.plan == models.load("small").plan and not network.training
