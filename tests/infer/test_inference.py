"""Inference at any size: which way `auto` takes, the published modes, what is refused."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.errors import InputError
from models.network import Network
from tests.inference import CPU, Echo, noisy_picture, varied_dim, whole
from tests.refusals import refused
from tests.sets import disc, picture
from utils.cli.problems import warn_once
from utils.images.trimap import make_trimap
from utils.infer import memory
from utils.infer.inference import Inference
from utils.networks.device import without_tf32


@pytest.fixture(scope="module")
def dim() -> Network:
    return varied_dim()


# --- choosing ---------------------------------------------------------------------------------


def test_auto_takes_the_cheaper():
    network = Echo()
    options = Inference("auto", halo=32)
    image = np.zeros((700, 800, 3), np.uint8)
    for trimap in (np.full((700, 800), 128, np.uint8), make_trimap(disc(700, 800), 200)):
        network.shapes.clear()
        options.matte(network, image, trimap, CPU)
        assert network.shapes == [(1, 700, 800)]
    network.shapes.clear()
    options.matte(network, image, make_trimap(disc(700, 800), 2), CPU)
    assert len(network.shapes) > 1 and network.pixels < 0.9 * 700 * 800


def test_auto_takes_tiles_when_the_whole_does_not_fit(dim, monkeypatch):
    unknown = np.full((900, 900), 128, np.uint8)
    image = noisy_picture(0, 900, 900)
    shapes = []
    hook = dim.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape[2:]))
    need = memory.needed(dim, 900, 900)
    try:
        for limit, passes in ((2 * need, 1), (need // 2, 3)):
            shapes.clear()
            options = Inference("auto", halo=32, tile=640, memory_mb=max(1, limit // 2**20))
            options.matte(dim, image, unknown, CPU)
            assert len(shapes) == passes
        monkeypatch.setattr(memory, "free", lambda device: need)
        shapes.clear()
        Inference("auto", halo=32, tile=640).matte(dim, image, unknown, CPU)
        assert len(shapes) == 3  # a fifth of what is free is left free
    finally:
        hook.remove()


def test_auto_keeps_networks_that_see_everything_whole_unless_memory_forces_tiles(
    caplog, monkeypatch
):
    warn_once.cache_clear()
    network = Echo(radius=None)
    trimap = np.zeros((900, 900), np.uint8)
    trimap[3, 3] = 128
    image = noisy_picture(0, 900, 900)
    monkeypatch.setattr(memory, "needed", lambda network, height, width: 2**30)
    Inference("auto", tile=640, memory_mb=2048).matte(network, image, trimap, CPU)
    assert network.shapes == [(1, 900, 900)] and not caplog.records
    Inference("auto", tile=640, memory_mb=512).matte(network, image, trimap, CPU)
    assert network.shapes[1:] == [(1, 160, 160)]
    assert "sees the whole picture at once" in caplog.text


# --- the published modes ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "whole", "tile", "resize", "crop", "half"])
def test_known_pixels_are_exact_and_the_size_is_kept(dim, mode):
    height, width = 20, 90
    trimap = make_trimap(disc(height, width), 3)
    image = noisy_picture(4, height, width)
    alpha = Inference(mode).alpha(dim, image, trimap, CPU)
    matte = Inference(mode).matte(dim, image, trimap, CPU)
    assert alpha.dtype == np.float32 and matte.dtype == np.uint8
    assert alpha.shape == matte.shape == (height, width)
    for level in (0, 255):
        assert (alpha[trimap == level] == level / 255).all()
        assert (matte[trimap == level] == level).all()
    assert alpha.min() >= 0 and alpha.max() <= 1 and np.ptp(alpha[trimap == 128]) > 0
    assert np.abs(matte / 255 - alpha).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"mode": "resize"}, [(1, 192, 288)]),
        ({"mode": "resize", "max_size": 256}, [(1, 192, 256)]),
        ({"mode": "half"}, [(1, 128, 160)]),
        ({"mode": "crop", "max_size": 128}, [(1, 128, 128)] * 4),
    ],
)
def test_published_modes_see_the_sizes_of_the_published_code(options, seen):
    network = Echo()
    trimap = np.full((201, 310), 128, np.uint8)
    trimap[:, 128:] = 0
    trimap[150:, 300:] = 128
    image = picture(0, 201, 310)
    alpha = Inference(**options).alpha(network, image, trimap, CPU)
    assert network.shapes == (seen if options["mode"] != "crop" else seen[:3])
    # Smooth as the picture is, it survives the way there and back.
    assert np.abs(alpha - image[..., 0] / 255)[trimap == 128].max() < 0.12
    assert np.abs(alpha - image[..., 0] / 255)[trimap == 128].mean() < 0.01


def test_bfloat16_is_near_float32_in_tiles_too(dim):
    image, trimap = noisy_picture(5, 200, 200), make_trimap(disc(200, 200), 6)
    alpha = Inference("tile", halo="full", precision="bfloat16").alpha(dim, image, trimap, CPU)
    difference = np.abs(alpha - whole(dim, image, trimap))
    assert 0 < difference.mean() < 0.05


def test_float32_is_never_tf32_and_the_switches_come_back():
    def switches():
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    network, seen = Echo(), set()
    network.register_forward_pre_hook(lambda *_: seen.add(switches()))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert switches() == (True, True)
        whole(network, picture(0, 40, 40), make_trimap(disc(40, 40), 3))
        with pytest.raises(KeyError), without_tf32():
            raise KeyError
        assert seen == {(False, False)} and switches() == (True, True)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(("tta", "rows"), [("mirror", (1,)), ("flips", (1, -1))])
def test_tta_is_the_mean_over_the_flips_of_the_picture(dim, tta, rows):
    image, trimap = noisy_picture(0, 90, 70), make_trimap(disc(90, 70), 9)
    whole, tta = Inference("whole"), Inference("whole", tta=tta)
    views = [
        whole.alpha(dim, image[::v, ::h].copy(), trimap[::v, ::h].copy())[::v, ::h]
        for v in rows
        for h in (1, -1)
    ]
    alpha = tta.alpha(dim, image, trimap)
    np.testing.assert_allclose(alpha, np.mean(views, axis=0), atol=1e-6)
    np.testing.assert_allclose(
        alpha[:, ::-1], tta.alpha(dim, image[:, ::-1].copy(), trimap[:, ::-1].copy()), atol=1e-6
    )
    assert np.abs(alpha - views[0]).max() > 0.01


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "tiled"}, "mode: 'tiled' is none; use whole, auto"),
        ({"precision": "half"}, "precision: 'half' is none"),
        ({"mode": "whole", "max_size": 800}, "max_size goes with resize and crop, not with whole"),
        ({"halo": "all"}, "halo: 'all' is none; give pixels, or full"),
        ({"halo": 0}, "halo: 0 is too small"),
        ({"mode": "tile", "tile": 200}, "tile: 200 has no room for its halo; give at least 352"),
        ({"mode": "resize", "max_size": 31}, "max_size: 31 is too small; give at least 32"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(dim, options, words):
    trimap = np.full((40, 40), 128, np.uint8)
    image = picture(0, 40, 40)
    assert words in refused(lambda: Inference(**options).matte(dim, image, trimap, CPU))


def test_a_full_halo_needs_a_network_with_a_radius():
    trimap = np.full((40, 40), 128, np.uint8)
    make = Inference("tile", halo="full").matte
    line = refused(make, Echo(None), picture(0, 40, 40), trimap, CPU)
    assert "echo sees the whole picture at once" in line


@pytest.mark.parametrize("mode", ["whole", "tile"])
def test_a_matte_that_is_not_finite_is_none(mode):
    class Odd(Echo):
        def forward(self, image: Tensor, trimap: Tensor) -> Tensor:
            return torch.where(trimap > 0.4, float("nan"), image[:, :1])

    trimap = np.zeros((64, 64), np.uint8)
    trimap[20:40, 20:40] = 128
    options = Inference(mode, halo=32 if mode == "tile" else None)
    for make in (options.alpha, options.matte):
        with pytest.raises(InputError, match="the network's matte is not finite"):
            make(Odd(), picture(0, 64, 64), trimap, CPU)
