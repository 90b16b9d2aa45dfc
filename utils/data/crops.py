"""Training samples composed on the fly: a crop on an unknown pixel, over a random background."""

import logging
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from utils.data.augment import jitter
from utils.data.cache import Cache
from utils.data.compose import compose
from utils.data.images import check_same_size, read_alpha, read_image
from utils.data.pairs import Foreground
from utils.data.trimap import UNKNOWN, draw_radius, narrow_trimap, reach, trimap_from_reach
from utils.options import DataConfig

log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """uint8 tensors: image (3,H,W) RGB, trimap (1,H,W) of 0, 128 and 255, alpha (1,H,W)."""

    image: Tensor
    trimap: Tensor
    alpha: Tensor


class Decoded(NamedTuple):
    """A foreground ready to be cut from; `order` are its pixels, the nearest to the edge first."""

    colour: np.ndarray
    alpha: np.ndarray
    reach: np.ndarray
    order: np.ndarray
    within: np.ndarray  # [r]: how many of `order` are unknown in a trimap of radius r


class CropSet(Dataset):
    """Samples by (epoch, index): index // `per_foreground` is the foreground, the rest is drawn.

    The random draws of a sample come from the seed, the epoch and the index alone, so that
    neither the number of workers nor an interruption changes what a network sees.

    Args:
        foregrounds: the foregrounds with their mattes.
        backgrounds: pictures to compose over.
        options: crop, trimap and colour options.
        per_foreground: samples of each foreground in an epoch.
        seed: of all draws.
        augment: flip and colour jitter; off for validation.
    """

    def __init__(
        self,
        foregrounds: list[Foreground],
        backgrounds: list[Path],
        options: DataConfig,
        per_foreground: int,
        seed: int,
        augment: bool = True,
    ) -> None:
        self._foregrounds = foregrounds
        self._backgrounds = backgrounds
        self._options = options
        self._per_foreground = per_foreground
        self._seed = seed
        self._augment = augment
        # Apart, or a large set of backgrounds, each seen once, would drive out the foregrounds.
        self._cache = Cache(options.cache_mb * 3 << 18)
        self._background_cache = Cache(options.cache_mb << 18)
        self._told: set[str] = set()

    def __len__(self) -> int:
        return len(self._foregrounds) * self._per_foreground

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, index = key
        rng = np.random.default_rng([self._seed, epoch, index])
        options = self._options
        source = self._foregrounds[index // self._per_foreground]
        foreground = self._decoded(source)

        size = foreground.alpha.shape
        if min(size) < options.crop:
            self._tell_once(source, size)
        side = max(1, min(round(options.crop * rng.choice(options.crop_scales)), *size))
        if options.trimap == "narrow":
            whole = narrow_trimap(foreground.alpha, int(rng.integers(1, 5)))
            unknown = np.flatnonzero(whole == UNKNOWN)
            window = _window(size, unknown, side, rng)
            trimap = whole[window]
        else:
            radius = draw_radius(rng, *options.trimap_radius)
            unknown = foreground.order[: foreground.within[radius]]
            window = _window(size, unknown, side, rng)
            trimap = trimap_from_reach(foreground.alpha[window], foreground.reach[window], radius)
        alpha = foreground.alpha[window]
        background = self._background(rng, size, window)
        image = compose(foreground.colour[window], alpha, background)
        image, trimap, alpha = _resize(image, trimap, alpha, options.crop)

        if self._augment:
            image = jitter(image, options.jitter, rng)
            if options.flip and rng.random() < 0.5:
                image, trimap, alpha = (array[:, ::-1] for array in (image, trimap, alpha))
        planes = (image.transpose(2, 0, 1), trimap[None], alpha[None])
        # Copied, since a plane may be a part of what the cache keeps.
        return Sample(*(torch.from_numpy(plane.copy()) for plane in planes))

    def _decoded(self, source: Foreground) -> Decoded:
        limit = self._options.trimap_radius[1]
        return self._cache.get(source, lambda: _decode(source, limit))

    def _background(self, rng: np.random.Generator, size: tuple, window: tuple) -> np.ndarray:
        """The part behind `window` of a background laid at random, enlarged where it is smaller."""
        path = self._backgrounds[rng.integers(len(self._backgrounds))]
        (picture,) = self._background_cache.get(path, lambda: (read_image(path),))
        scale = max(1.0, *(a / b for a, b in zip(size, picture.shape, strict=False)))
        sides = [span.stop - span.start for span in window]
        spans = []
        for span, side, length, available in zip(window, sides, size, picture.shape, strict=False):
            start = (span.start + rng.uniform() * (available * scale - length)) / scale
            count = max(1, round(side / scale))
            start = min(int(start), available - count)
            spans.append(slice(start, start + count))
        part = picture[tuple(spans)]
        if part.shape[:2] == tuple(sides):
            return part
        return cv2.resize(part, tuple(sides[::-1]), interpolation=cv2.INTER_CUBIC)

    def _tell_once(self, source: Foreground, size: tuple[int, int]) -> None:
        worker = get_worker_info()
        # Every worker meets every foreground, sooner or later; one is enough to tell.
        if source.name not in self._told and (worker is None or worker.id == 0):
            self._told.add(source.name)
            height, width = size
            log.warning(
                f"{source.fg}: {width} x {height} is smaller than a crop; its crops are enlarged"
            )


def _decode(source: Foreground, limit: int) -> Decoded:
    colour, alpha = read_image(source.fg), read_alpha(source.alpha)
    check_same_size(source.fg, colour, source.alpha, alpha)
    distance = reach(alpha, limit + 1)
    near = np.flatnonzero(distance.ravel() <= limit)
    by_reach = np.argsort(distance.ravel()[near], kind="stable")
    within = np.bincount(distance.ravel()[near], minlength=limit + 1).cumsum()
    return Decoded(colour, alpha, distance, near[by_reach].astype(np.int32), within)


def _window(
    size: tuple[int, int], unknown: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[slice, slice]:
    """A square of `side` inside the picture, centred on an unknown pixel as nearly as that allows.

    `unknown` are the places of these pixels in the flattened picture.
    """
    height, width = size
    # A matte of one value has no unknown pixel; any place is as good.
    place = unknown[rng.integers(len(unknown))] if len(unknown) else rng.integers(height * width)
    starts = (
        int(np.clip(centre - side // 2, 0, length - side))
        for centre, length in zip(divmod(int(place), width), (height, width), strict=True)
    )
    return tuple(slice(start, start + side) for start in starts)


def _resize(
    image: np.ndarray, trimap: np.ndarray, alpha: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if image.shape[:2] == (side, side):
        return image, trimap, alpha
    smooth = cv2.INTER_AREA if side < len(image) else cv2.INTER_LINEAR
    image = cv2.resize(image, (side, side), interpolation=smooth)
    alpha = cv2.resize(alpha, (side, side), interpolation=smooth)
    trimap = cv2.resize(trimap, (side, side), interpolation=cv2.INTER_NEAREST)
    # Averaging can make a pixel that the nearest one calls known fractional.
    known = (trimap != UNKNOWN) & ((alpha == 0) | (alpha == 255))
    return image, np.where(known, alpha, np.uint8(UNKNOWN)), alpha
