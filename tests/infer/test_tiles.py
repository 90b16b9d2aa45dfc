"""Tiles equal the whole, cover what is unknown and nothing else."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.network import Network
from tests.inference import CPU, Echo, noisy_picture, random_trimap, varied_dim, whole
from tests.sets import disc, picture
from utils.images.trimap import make_trimap
from utils.infer.inference import Inference
from utils.infer.tiles import matte_tiles, plan_tiles

SIDES = st.integers(1, 400)


@pytest.fixture(scope="module")
def dim() -> Network:
    return varied_dim()


@settings(max_examples=10, derandomize=True)
@given(height=st.integers(1, 600), width=st.integers(1, 600), seed=st.integers(0, 99))
def test_tiles_with_the_full_halo_equal_the_whole_picture(dim, height, width, seed):
    image, trimap = noisy_picture(seed, height, width), random_trimap(seed, height, width)
    tiled = Inference("tile", halo="full", tile=416).alpha(dim, image, trimap, CPU)
    assert np.abs(tiled - whole(dim, image, trimap)).max() < 1e-5


def test_many_tiles_of_a_wholly_unknown_picture_equal_it(dim):
    height, width = 65, 2001
    image, trimap = noisy_picture(1, height, width), np.full((height, width), 128, np.uint8)
    options = Inference("tile", halo="full", tile=416)
    assert len(options.tiles(dim, trimap == 128)) >= 2
    exact = whole(dim, image, trimap)
    assert np.ptp(exact) > 0.2
    tiled = options.alpha(dim, image, trimap, CPU)
    assert np.abs(tiled - exact).max() < 1e-5


@pytest.mark.parametrize("convolutions", [(2, 2, 3, 3, 3), (1, 1, 1, 2, 2)])
def test_the_radius_of_dim_is_all_that_a_cell_sees_and_not_much_more(convolutions):
    network = varied_dim(convolutions=convolutions)
    radius = network.radius
    cell = slice(320, 352)
    inputs = torch.rand(1, 3, 64, 672), torch.full((1, 1, 64, 672), 128 / 255)

    def change(distance: int) -> float:
        """How much the cell's matte changes when all from that distance on does."""
        other = inputs[0].clone()
        other[..., : 320 - distance] = 0
        other[..., 352 + distance :] = 1
        with torch.no_grad():
            return float((network(*inputs) - network(other, inputs[1]))[..., cell].abs().max())

    assert change(radius) == 0
    assert change(radius - 40) > 0


@pytest.mark.parametrize(("network", "halo"), [(varied_dim(), "full"), (Echo(None), 128)])
def test_the_default_halo_is_full_where_there_is_such(network, halo):
    unknown = random_trimap(0, 700, 900) == 128
    expected = Inference("tile", halo=halo).tiles(network, unknown)
    assert Inference("tile").tiles(network, unknown) == expected
    assert Inference("tile", halo=64).tiles(network, unknown) != expected


def test_tiles_err_less_the_more_they_see_and_less_than_if_the_picture_ended_with_them(dim):
    image, trimap = noisy_picture(2, 400, 500), np.full((400, 500), 128, np.uint8)
    exact = whole(dim, image, trimap)

    def error(alpha: np.ndarray) -> float:
        return np.abs(alpha - exact).mean()

    errors = []
    for halo in (32, 64, 128):
        options = Inference("tile", halo=halo, tile=384)
        errors.append(error(options.alpha(dim, image, trimap, CPU)))

    def ending(images: np.ndarray, trimaps: np.ndarray, _) -> np.ndarray:
        return np.stack([whole(dim, *inputs) for inputs in zip(images, trimaps, strict=True)])

    tiles = options.tiles(dim, trimap == 128)
    ended = matte_tiles(ending, image, trimap, tiles, batch=1, exact=False)
    assert errors[0] > errors[1] > errors[2] > 0
    assert errors[2] < 0.75 * error(ended)


@settings(max_examples=30, derandomize=True)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 99), halo=st.sampled_from([1, 32, 70]))
def test_blended_tiles_sum_to_one_wherever_something_is_unknown(height, width, seed, halo):
    image, trimap = noisy_picture(seed, height, width), random_trimap(seed, height, width)
    network = Echo()
    network.radius_ = 1000  # no halo is full, so tiles are blended
    alpha = Inference("tile", halo=halo, tile=256).alpha(network, image, trimap, CPU)
    unknown = trimap == 128
    assert np.abs(alpha - image[..., 0] / 255)[unknown].max() < 1e-6


@settings(max_examples=40, derandomize=True)
@given(
    height=SIDES,
    width=SIDES,
    seed=st.integers(0, 99),
    blobs=st.integers(1, 12),
    halo=st.sampled_from([1, 32, 64]),
    side=st.sampled_from([192, 256, 1000]),
)
def test_tiles_cover_what_is_unknown_aligned_and_within_their_limit(
    height, width, seed, blobs, halo, side
):
    unknown = random_trimap(seed, height, width, blobs) == 128
    tiles = plan_tiles(unknown, 32, halo, side)
    margin = -(-halo // 32) * 32
    left = unknown.copy()
    for core, outer in tiles:
        assert unknown[core.window].any()
        assert outer.pixels <= side**2
        for box in (core, outer):
            assert box.top % 32 == 0 and box.left % 32 == 0
            assert box.bottom % 32 == 0 or box.bottom == height
            assert box.right % 32 == 0 or box.right == width
        assert outer.top == max(0, core.top - margin)
        assert outer.right == min(width, -(-core.right // 32) * 32 + margin)
        left[core.window] = False
    assert not left.any()


def test_what_is_far_from_anything_unknown_costs_nothing():
    trimap = np.zeros(
        (3000, 9000), np.uint8
    )  # planned in blocks of 4096, one of which holds nothing
    trimap[5, 7] = trimap[2990, 8990] = trimap[1500, 2000] = 128
    network = Echo()
    Inference("tile", halo=32).matte(network, np.zeros((3000, 9000, 3), np.uint8), trimap, CPU)
    assert sorted(network.shapes) == [(1, 56, 72), (1, 64, 64), (1, 96, 96)]


@pytest.mark.parametrize("mode", ["auto", "whole", "resize"])
def test_a_trimap_without_unknown_pixels_costs_no_forward_pass(mode):
    trimap = random_trimap(0, 90, 70, blobs=0)
    network = Echo()
    matte = Inference(mode).matte(network, picture(0, 90, 70), trimap, CPU)
    assert (matte == trimap).all() and not network.shapes


def test_the_largest_input_does_not_grow_with_the_picture():
    for scale in (1, 3):
        trimap = cv2.resize(
            make_trimap(disc(500, 700), 30), None, fx=scale, fy=scale, interpolation=0
        )
        network = Echo()
        options = Inference("tile", halo=64, tile=320)
        options.matte(network, np.zeros((*trimap.shape, 3), np.uint8), trimap, CPU)
        assert 0.5 * 320**2 < max(height * width for _, height, width in network.shapes) <= 320**2
