"""Inference at any size: tiles equal the whole, cover what is unknown and nothing else; modes."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import models
from models.errors import InputError
from models.network import Network
from tests.sets import disc, picture
from utils.data.trimap import make_trimap
from utils.infer import memory
from utils.infer.inference import Inference
from utils.infer.tiles import matte_tiles, plan_tiles, weights

CPU = torch.device("cpu")
SIDES = st.integers(1, 400)


def varied_dim(**structure) -> Network:
    """A small DIM whose mattes vary and depend on all that they can see.

    With less than about five channels oneDNN sums in another order for another size, and then a
    tie between two maxima may fall differently.
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


@pytest.fixture(scope="module")
def dim() -> Network:
    return varied_dim()


class Echo(Network):
    """Its matte is the red channel; it remembers which inputs it has seen."""

    name = "echo"

    def __init__(self, radius: int | None = 0) -> None:
        super().__init__({}, {})
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


# --- tiles ------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None, derandomize=True)
@given(height=st.integers(1, 600), width=st.integers(1, 600), seed=st.integers(0, 99))
def test_tiles_with_the_full_halo_equal_the_whole_picture(dim, height, width, seed):
    image, trimap = noisy_picture(seed, height, width), random_trimap(seed, height, width)
    tiled = Inference("tile", halo="full", tile=416).alpha(dim, image, trimap, CPU)
    assert np.abs(tiled - whole(dim, image, trimap)).max() < 1e-5


@pytest.mark.parametrize(("height", "width"), [(447, 623), (65, 4001)])
def test_many_tiles_of_a_wholly_unknown_picture_equal_it(dim, height, width):
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


def test_less_halo_is_further_from_the_whole_but_blended_without_jumps(dim):
    image, trimap = noisy_picture(2, 400, 500), np.full((400, 500), 128, np.uint8)
    exact = whole(dim, image, trimap)
    errors = [
        np.abs(Inference("tile", halo=h, tile=448).alpha(dim, image, trimap, CPU) - exact).mean()
        for h in (32, 64, 128)
    ]
    assert errors[0] > errors[1] > errors[2] > 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_tiles_err_less_than_if_the_picture_ended_with_them(dim, precision):
    image, trimap = noisy_picture(2, 500, 600), np.full((500, 600), 128, np.uint8)
    options = Inference("tile", halo=64, tile=320, precision=precision)
    exact = Inference("whole", precision=precision).alpha(dim, image, trimap, CPU)
    error = np.abs(options.alpha(dim, image, trimap, CPU) - exact).mean()

    def ending(images: np.ndarray, trimaps: np.ndarray, _) -> np.ndarray:
        return np.stack(
            [
                Inference("whole", precision=precision).alpha(dim, *inputs, CPU)
                for inputs in zip(images, trimaps, strict=True)
            ]
        )

    tiles = options.tiles(dim, trimap == 128)
    ended = matte_tiles(ending, image, trimap, tiles, batch=1, exact=False)
    assert 0 < error < 0.75 * np.abs(ended - exact).mean()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 99), halo=st.sampled_from([1, 32, 70]))
def test_blended_tiles_sum_to_one_wherever_something_is_unknown(height, width, seed, halo):
    image, trimap = noisy_picture(seed, height, width), random_trimap(seed, height, width)
    network = Echo()
    network.radius_ = 1000  # no halo is full, so tiles are blended
    alpha = Inference("tile", halo=halo, tile=256).alpha(network, image, trimap, CPU)
    unknown = trimap == 128
    assert np.abs(alpha - image[..., 0] / 255)[unknown].max() < 1e-6


@settings(max_examples=40, deadline=None, derandomize=True)
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


def test_weights_are_one_in_the_core_and_towards_the_border_and_fall_within_the_blend():
    unknown = np.zeros((320, 320), bool)
    unknown[150, :5] = True
    (tile,) = plan_tiles(unknown, 32, 64, 1000)
    found = weights(tile, unknown.shape, blend=4)
    assert tile.core == (128, 0, 160, 32) and found.shape == (160, 96)
    assert found.max() == 1 and (found[64:96, :32] == 1).all()
    assert found[80, 32:38].tolist() == pytest.approx([7 / 8, 5 / 8, 3 / 8, 1 / 8, 0, 0])
    assert found[58:64, 0].tolist() == pytest.approx([0, 0, 1 / 8, 3 / 8, 5 / 8, 7 / 8])
    assert set(weights(tile, unknown.shape, blend=0)[80].tolist()) == {0, 1}


def test_what_is_far_from_anything_unknown_costs_nothing():
    trimap = np.zeros((3000, 4000), np.uint8)
    trimap[5, 7] = trimap[2990, 3990] = trimap[1500, 2000] = 128
    network = Echo()
    Inference("tile", halo=32).matte(network, np.zeros((3000, 4000, 3), np.uint8), trimap, CPU)
    assert sorted(network.shapes) == [(1, 56, 64), (1, 64, 64), (1, 96, 96)]


def test_neighbours_share_a_tile_where_that_is_less():
    unknown = np.zeros((1000, 1000), bool)
    unknown[480:500, 200:800:40] = True
    assert len(plan_tiles(unknown, 32, 64, 1000)) == 1


@pytest.mark.parametrize("mode", ["auto", "whole", "tile", "resize", "crop", "half"])
def test_a_trimap_without_unknown_pixels_costs_no_forward_pass(mode):
    trimap = random_trimap(0, 90, 70, blobs=0)
    network = Echo()
    matte = Inference(mode).matte(network, picture(0, 90, 70), trimap, CPU)
    assert (matte == trimap).all() and not network.shapes


def test_batches_change_nothing_but_the_number_of_passes(dim):
    image = noisy_picture(3, 700, 900)
    trimap = np.zeros((700, 900), np.uint8)
    for y in (200, 500):
        for x in (200, 450, 700):
            trimap[y, x] = 128
    trimaps = []
    for batch in (1, 4):
        options, echo = Inference("tile", halo=32, batch=batch), Echo()
        trimaps.append(options.alpha(dim, image, trimap, CPU))
        options.alpha(echo, image, trimap, CPU)
        assert [count for count, *_ in echo.shapes] == ([1] * 6 if batch == 1 else [4, 2])
    assert np.abs(trimaps[0] - trimaps[1]).max() < 1e-6


def test_the_largest_input_does_not_grow_with_the_picture():
    for scale in (1, 3):
        trimap = cv2.resize(
            make_trimap(disc(500, 700), 30), None, fx=scale, fy=scale, interpolation=0
        )
        network = Echo()
        options = Inference("tile", halo=64, tile=320)
        options.matte(network, np.zeros((*trimap.shape, 3), np.uint8), trimap, CPU)
        assert 0.5 * 320**2 < max(height * width for _, height, width in network.shapes) <= 320**2


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


def test_memory_is_counted_in_proportion_to_pixels_and_not_less_than_two_maps():
    network = models.build("dim", models.scaled_plan("dim", 1 / 4))
    small, large = (memory.needed(network, side, side) for side in (256, 512))
    assert large == pytest.approx(4 * small, rel=0.01)
    assert large > 2 * 16 * 4 * 512**2
    assert memory.free(CPU) > 2**20


# --- the published modes ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "whole", "tile", "resize", "crop", "half"])
@pytest.mark.parametrize(("height", "width"), [(20, 90), (131, 97)])
def test_known_pixels_are_exact_and_the_size_is_kept(dim, mode, height, width):
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


def test_a_matte_is_the_alpha_rounded(dim):
    image, trimap = noisy_picture(5, 70, 90), make_trimap(disc(70, 90), 6)
    expected = (whole(dim, image, trimap) * 255).round()
    assert (Inference("whole").matte(dim, image, trimap, CPU) == expected).all()


def test_bfloat16_is_near_float32_in_tiles_too(dim):
    image, trimap = noisy_picture(5, 200, 200), make_trimap(disc(200, 200), 6)
    alpha = Inference("tile", halo="full", precision="bfloat16").alpha(dim, image, trimap, CPU)
    difference = np.abs(alpha - whole(dim, image, trimap))
    assert 0 < difference.mean() < 0.05


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "tiled"}, "mode: 'tiled' is none; use auto, whole"),
        ({"precision": "half"}, "precision: 'half' is none"),
        ({"mode": "whole", "max_size": 800}, "max_size goes with resize and crop, not with whole"),
        ({"mode": "half", "halo": 64}, "halo goes with tile and auto, not with half"),
        ({"halo": "all"}, "halo: 'all' is none; give pixels, or full"),
        ({"halo": 0}, "halo: 0 is too small"),
        ({"batch": 0}, "batch: 0 is too small"),
        ({"mode": "tile", "tile": 200}, "tile: 200 has no room for its halo; give at least 352"),
        ({"mode": "resize", "max_size": 31}, "max_size: 31 is too small; give at least 32"),
        ({"precision": "float16"}, "float16 needs a GPU"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(dim, options, words):
    trimap = np.full((40, 40), 128, np.uint8)
    with pytest.raises(InputError, match=words) as caught:
        Inference(**options).matte(dim, picture(0, 40, 40), trimap, CPU)
    assert "\n" not in str(caught.value)


def test_a_full_halo_needs_a_network_with_a_radius():
    trimap = np.full((40, 40), 128, np.uint8)
    with pytest.raises(InputError, match="echo sees the whole picture at once"):
        Inference("tile", halo="full").matte(Echo(None), picture(0, 40, 40), trimap, CPU)


def test_a_trimap_of_another_size_is_refused(dim):
    with pytest.raises(InputError, match="the picture is 50 x 40, but its trimap 40 x 50"):
        Inference().matte(dim, picture(0, 40, 50), np.full((50, 40), 128, np.uint8), CPU)


def test_a_want_of_memory_names_the_cure():
    class Greedy(Echo):
        def compute(self, image: Tensor, trimap: Tensor, stages: None) -> Tensor:
            return torch.empty(1 << 60)

    trimap = np.full((40, 50), 128, np.uint8)
    with pytest.raises(InputError, match=r"1 x 50 x 40 pixels at once take more memory than there"):
        Inference("whole").matte(Greedy(), picture(0, 40, 50), trimap, CPU)
