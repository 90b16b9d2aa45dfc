"""Matte one picture of any size with a network."""

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial

import cv2
import numpy as np
import torch
from torch import nn

from models import Network
from models.arrays import check_arrays, matte_of
from models.errors import InputError
from models.network import evaluating, forward_arrays
from utils.cli.problems import warn_once
from utils.images.reading import to_8_bits
from utils.images.trimap import UNKNOWN
from utils.infer import memory
from utils.infer.context import ReplicatePadding, whole_picture_means
from utils.infer.options import MAX_SIZE, TILED, VIEWS, check_options
from utils.infer.tiles import Forward, Sides, Tile, matte_tiles, plan_tiles
from utils.networks.device import autocast, choose, without_tf32

HALO = 128  # px; with DIM 99.9 % of the unknown pixels of a photograph are then within 1.3/255
WORTHWHILE = 0.9  # each tile costs more than its pixels, so tiles have to save a tenth of them
SPARE = 0.8  # of the free memory


@dataclass
class Inference:
    """How pictures are matted.

    Args:
        mode: `whole` is the picture at its own size, as published numbers are; `tile` takes tiles
            around the unknown region, in bounded memory; `auto` takes whichever of these two is
            cheaper and fits the memory. `resize`, `crop` and `half` reproduce what others
            published and change the picture; none is needed for want of memory.
        max_size: longest side for `resize` (1600) and `crop` (320).
        halo: how far a tile sees beyond its core, in pixels, rounded up to the network's stride.
            With "full" it sees all that matters, and the matte is that of `whole` up to rounding:
            1e-6 on photographs, more only in areas of one colour, where maxima tie and rounding
            decides which one is pooled. None is full, or 128 where a network sees the whole picture
            at once; then tiles take the means of the whole picture.
        tile: a tile has at most tile x tile pixels, its halo included. With 1024, DIM of full width
            took 1.6 GB beyond a picture of 6000 x 4000 itself.
        batch: tiles of one size that go through the network at once; more helps on a GPU.
        precision: float32, bfloat16 or float16.
        memory_mb: what `auto` may use; None is four fifths of what is free.
        tta: the mean of the mattes of the picture and of its mirror image (`mirror`) or its three
            flips (`flips`), in mode `whole`.

    Raises:
        InputError: an option that cannot be, or does not go with the mode.
    """

    mode: str = "auto"
    max_size: int | None = None
    halo: int | str | None = None
    tile: int = 1024
    batch: int = 1
    precision: str = "float32"
    memory_mb: int | None = None
    tta: str | None = None

    def __post_init__(self) -> None:
        unused = () if self.mode in TILED else ("tile", "batch")  # they always have a value
        check_options({k: value for k, value in asdict(self).items() if k not in unused})

    def matte(
        self,
        network: Network,
        image: np.ndarray,
        trimap: np.ndarray,
        device: torch.device | str | None = None,
    ) -> np.ndarray:
        """`alpha` as uint8 (H,W), rounded; known pixels are exactly 0 and 255."""
        return to_8_bits(self.alpha(network, image, trimap, device))

    def alpha(
        self,
        network: Network,
        image: np.ndarray,
        trimap: np.ndarray,
        device: torch.device | str | None = None,
    ) -> np.ndarray:
        """The matte of a picture.

        Args:
            network: in either mode, which stays; `utils.networks.device.deployed` gives its fastest
                form.
            image: uint8 (H,W,3), RGB.
            trimap: uint8 (H,W) of 0, 128 and 255.
            device: where the network is, if given.

        Returns:
            float32 (H,W) in [0, 1]; known pixels are exactly 0 and 1.

        Raises:
            InputError: other arrays, or the two differ in size; the network is none for matting, or
                elsewhere; the network does not allow the mode, the precision is none of the
                device's, or the matte is not finite.
        """
        if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
            network = network.module
        self._check(network, device)
        image, trimap = check_arrays(image, trimap)
        alpha = np.zeros(trimap.shape, np.float32)
        if (trimap == UNKNOWN).any():
            with evaluating(network):
                alpha = self._alpha(network, image, trimap)
        return matte_of(alpha, trimap, half=self.precision == "float16")

    def _check(self, network: Network, device: torch.device | str | None) -> None:
        """Raise an `InputError` where the network cannot be used as it is."""
        if network.task != "matting":
            raise InputError(f"{network.name} is for {network.task}, it makes no mattes")
        there = network.mean.device
        given = choose(device) if isinstance(device, str) else device or there
        if given.type != there.type or given.index not in (None, there.index):
            raise InputError(f"the network is on {there}, not on {given}; call network.to(device)")
        autocast(there, self.precision, option="--precision")  # refuses what cannot be
        if network.mean.dtype == torch.float16 and self.precision == "bfloat16":
            raise InputError("precision: the network is in float16; call network.float() first")

    def tiles(self, network: Network, unknown: np.ndarray) -> list[Tile]:
        """The tiles that `tile` would take for the unknown pixels, bool (H,W), of a picture."""
        halo, stride = self.halo_of(network), network.stride
        least = stride + 2 * -(-halo // stride) * stride
        if self.tile < least:
            raise InputError(
                f"tile: {self.tile} has no room for its halo; give at least {least}, "
                "or a smaller halo"
            )
        return plan_tiles(unknown, stride, halo, self.tile)

    def halo_of(self, network: Network) -> int:
        """The halo in pixels that tiles of the network's pictures have.

        Raises:
            InputError: it should be full, but the network sees the whole picture at once.
        """
        if isinstance(self.halo, int):
            return self.halo
        if self.halo == "full" and network.radius is None:
            raise InputError(
                f"halo: {network.name} sees the whole picture at once, so that no halo is full; "
                "give pixels, or use mode whole"
            )
        return HALO if network.radius is None else network.radius

    def _alpha(self, network: Network, image: np.ndarray, trimap: np.ndarray) -> np.ndarray:
        """The alpha of all pixels, known ones as the network has them, float32 (H,W)."""
        forward = partial(compute_alphas, network, self.precision)
        if self.mode in MAX_SIZE:
            size = self.max_size or MAX_SIZE[self.mode]
            if size < network.stride:
                raise InputError(f"max_size: {size} is too small; give at least {network.stride}")
            if self.mode == "crop":
                return matte_windows(forward, image, trimap, size)
            return matte_resized(forward, image, trimap, size, network.stride)
        if self.mode == "half":
            return matte_half(forward, image, trimap, network.stride)
        tiles = [] if self.mode == "whole" else self.tiles(network, trimap == UNKNOWN)
        if self.mode == "whole" or self._takes_whole(network, trimap.shape, tiles):
            views = VIEWS[self.tta] if self.tta else ((),)
            return np.mean([_flipped_pass(forward, image, trimap, axes) for axes in views], axis=0)
        if network.radius is not None:
            exact = self.halo_of(network) >= network.radius
            return matte_tiles(forward, image, trimap, tiles, self.batch, exact)
        warn_once(
            f"{network.name} sees the whole picture at once: in tiles its matte is another one, "
            "see docs/testing.md"
        )
        with whole_picture_means(network, forward, image, trimap, self.tile):
            return matte_tiles(forward, image, trimap, tiles, self.batch, exact=False)

    def _takes_whole(self, network: Network, shape: tuple[int, int], tiles: list[Tile]) -> bool:
        """Whether the picture as a whole is the better choice, and possible."""
        height, width = shape
        fits = height * width <= self.tile**2  # it takes no more than a tile may
        if self.mode == "tile":
            return fits and network.radius is None
        pixels = sum(tile.outer.pixels for tile in tiles)
        if network.radius is not None and pixels < WORTHWHILE * height * width:
            return False
        if fits:
            return True
        needed = memory.needed(network, height, width)
        if self.memory_mb:
            return needed <= self.memory_mb * 2**20
        return needed <= SPARE * memory.free(network.mean.device)


def compute_alphas(
    network: Network,
    precision: str,
    images: np.ndarray,
    trimaps: np.ndarray,
    sides: Sides | None = None,
) -> np.ndarray:
    """One pass of a network, `forward_arrays`, in a precision.

    Args:
        sides: of tiles, those on which their picture goes on.
    """
    borders = ReplicatePadding(sides) if sides else nullcontext()
    with autocast(network.mean.device, precision), without_tf32(), borders:
        return forward_arrays(network, images, trimaps)


def _flipped_pass(
    forward: Forward, image: np.ndarray, trimap: np.ndarray, axes: tuple[int, ...]
) -> np.ndarray:
    """The alpha of a flipped picture, clamped and flipped back."""
    flipped = (np.flip(one, axes)[None].copy() for one in (image, trimap))
    return np.flip(forward(*flipped)[0], axes)


# --- what others published: resized, in windows, at half resolution ------------------------------


def matte_resized(
    forward: Forward, image: np.ndarray, trimap: np.ndarray, max_size: int, stride: int
) -> np.ndarray:
    """The matte of the resized picture, resized back, float32 (H,W).

    As pytorch-deep-image-matting's `whole` (its numbers are at 1600): each side becomes the largest
    multiple of the stride within it, or `max_size` where that is smaller. The two sides are treated
    apart, which distorts a picture that has one longer than `max_size`. The trimap is
    interpolated, too, and so has other values than 0, 128 and 255.
    """
    height, width = (max(stride, min(max_size, n - n % stride)) for n in trimap.shape)
    return _through(forward, image, trimap, (width, height))


def matte_windows(
    forward: Forward, image: np.ndarray, trimap: np.ndarray, max_size: int
) -> np.ndarray:
    """The mattes of windows side by side, float32 (H,W); 0 in those without unknown pixels.

    As pytorch-deep-image-matting's `crop` (its windows are 320): windows of `max_size` to a side
    without overlap, so that each has seams and knows nothing of the others. What is left over at
    the right and at the bottom is enlarged to a whole window, which distorts it.
    """
    alpha = np.zeros(trimap.shape, np.float32)
    for top in range(0, trimap.shape[0], max_size):
        for left in range(0, trimap.shape[1], max_size):
            window = slice(top, top + max_size), slice(left, left + max_size)
            if (trimap[window] == UNKNOWN).any():
                size = (max_size, max_size)
                alpha[window] = _through(forward, image[window], trimap[window], size)
    return alpha


def matte_half(forward: Forward, image: np.ndarray, trimap: np.ndarray, stride: int) -> np.ndarray:
    """The matte at half the resolution, resized back, float32 (H,W).

    As IndexNet's re-implementation of Deep Matting: both sides are halved, then enlarged to
    multiples of the stride; cubic, the trimap nearest.
    """
    shape = trimap.shape
    height, width = (max(1, round(n / 2)) for n in shape)
    aligned = -(-width // stride) * stride, -(-height // stride) * stride
    image = image.astype(np.float32)  # cubic overshoots, and the published code keeps that
    for size in ((width, height), aligned):
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        trimap = cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST)
    alpha = forward(image[None], trimap[None])[0]
    return cv2.resize(alpha, shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)


def _through(
    forward: Forward, image: np.ndarray, trimap: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Resize to (width, height), matte, resize back, all linearly."""
    small = [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR)[None] for one in (image, trimap)]
    height, width = trimap.shape
    return cv2.resize(forward(*small)[0], (width, height), interpolation=cv2.INTER_LINEAR)
