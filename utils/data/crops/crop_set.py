"""Training samples composed on the fly: the crop is cut first, then composed."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from utils.cli.problems import tolerate, warn_once
from utils.config.options import AugmentConfig, Config, DataConfig
from utils.data.augment import (
    defocus,
    degraded,
    fuse,
    fuse_exactly,
    hide,
    jitter,
    jitter_foreground,
    thin,
)
from utils.data.compose.arithmetic import compose, compose_light
from utils.data.crops import view as views
from utils.data.crops.background import Backgrounds
from utils.data.crops.radii import Radii, draw_radii, trimap_through, unknown_place
from utils.data.crops.view import View, sample_view
from utils.data.folders import Foreground, backgrounds, foregrounds
from utils.data.samples import Failures, SampleResult, Subset, first_usable, planes, short
from utils.data.split import read_split
from utils.data.store import Store, Stored
from utils.images.trimap import UNKNOWN

TRAINING, VALIDATION = 1, 2  # keep the draws of the two apart
UNCHANGED = AugmentConfig(flip=False, jitter=0.0)
TONES = (1.0, 2.4)  # gamma of cameras' tone curves; 1 mixes as `compose`

Layer = tuple[np.ndarray, np.ndarray]  # a foreground, uint8 (crop, crop, 4), and its trimap


class Sample(NamedTuple):
    """uint8 tensors: image (3,H,W) RGB, trimap (1,H,W) of 0, 128 and 255, alpha (1,H,W).

    Where a loss asks for them, the colours (3,H,W) that the image was composed of.
    """

    image: Tensor
    trimap: Tensor
    alpha: Tensor
    foreground: Tensor | None = None
    background: Tensor | None = None


class Item(NamedTuple):
    """What a sample is made of; any background where it is None."""

    foreground: Foreground
    background: Path | None = None


class CropSet(Dataset):
    """Samples by (epoch, index): `index` is the item, the rest is drawn.

    The random draws of a sample come from the seed, the epoch and the index alone, so that
    neither the number of workers nor an interruption changes what a network sees. With triplets
    three samples in a row are of one draw: a foreground, a second one and the fusion of both, in
    the same crop over the same background (Ye et al., AAAI 2023).

    Args:
        items: what an epoch is made of; others stand in for what cannot be used.
        options: what is changed at random in training.
        subset: validation changes nothing; its trimaps are as wide as those of training.
        layers: whether samples carry their foreground and background. Colours are then jittered
            before composing, so that the image is made of them but for blur, noise and the like.
    """

    def __init__(
        self,
        store: Store,
        items: Sequence[Item],
        backgrounds: Sequence[Path],
        data: DataConfig,
        options: AugmentConfig,
        seed: int,
        layers: bool = False,
        subset: Subset = "train",
    ) -> None:
        self._store, self._items, self._backgrounds = store, items, backgrounds
        self._foregrounds = list(dict.fromkeys(item.foreground for item in items))
        self._data, self._seed, self._layers = data, seed, layers
        self._options = options if subset == "train" else UNCHANGED
        self.members = 3 if self._options.triplets else 1
        self._kind = TRAINING if subset == "train" else VALIDATION
        self._bends = self._options.affine or self._options.squash > 0
        self._radii_of_sample = options.affine or options.squash > 0 or options.fuse > 0
        self._behind = Backgrounds(data.cache_mb)

    def __len__(self) -> int:
        return len(self._items) * self.members

    def __getitem__(self, key: tuple[int, int]) -> SampleResult:
        epoch, index = key
        draw, member = divmod(index, self.members)
        rng = np.random.default_rng([self._kind, self._seed, epoch, draw])
        problems: list[str] = []
        item, options = self._items[draw], self._options
        usable = partial(first_usable, rng=rng, problems=problems)
        open_stored = self._store.open
        source, stored = usable(
            item.foreground, self._foregrounds, lambda one: (one, open_stored(one))
        )
        interpolation = None
        if options.random_interpolation:
            interpolation = views.INTERPOLATIONS[rng.integers(len(views.INTERPOLATIONS))]
        radii = draw_radii(self._data.trimap, self._data.trimap_radius, rng)
        view = self._view(source, stored, radii, rng)
        drawn = [self._layer(stored, radii, view, interpolation, rng)]
        if _chance(options.fuse, rng):
            other = usable(None, self._foregrounds, open_stored)
            behind = views.stretched(view, stored.unknown_radius.shape, other.unknown_radius.shape)
            drawn.append(self._layer(other, radii, behind, interpolation, rng))
            drawn.append(self._fused(*drawn, rng))
        layer, trimap = drawn[member if options.triplets else -1]
        if _chance(options.hide, rng):
            trimap = hide(trimap, rng)
        colour, alpha = cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), cv2.extractChannel(layer, 3)
        if options.jitter_foreground:
            colour = jitter_foreground(colour, alpha, rng)
        if options.triplets:  # jitter_foreground draws nothing where no foreground is seen
            (rng,) = rng.spawn(1)
        read = partial(self._behind.behind, view=view, rng=rng, interpolation=interpolation)
        scenery = usable(item.background, self._backgrounds, read, rng=rng)
        if _chance(options.defocus, rng):
            scenery = defocus(scenery, rng)
        if self._layers:
            both = jitter(np.concatenate([colour, scenery]), options.jitter, rng)
            colour, scenery = both[: len(colour)], both[len(colour) :]
            image = compose(colour, alpha, scenery)
        else:
            light = _chance(options.linear_light, rng)
            mix = partial(compose_light, gamma=rng.uniform(*TONES)) if light else compose
            image = jitter(mix(colour, alpha, scenery), options.jitter, rng)
        image = degraded(image, options, rng)
        flipped = options.flip and rng.random() < 0.5
        parts = [image, trimap, alpha, *((colour, scenery) if self._layers else ())]
        return SampleResult(Sample(*planes(parts, flipped)), tuple(problems))

    def _view(
        self, source: Foreground, stored: Stored, radii: Radii, rng: np.random.Generator
    ) -> View:
        """What the sample shows: a square around a drawn unknown pixel."""
        data, options, size = self._data, self._options, stored.unknown_radius.shape
        if self._bends:
            canvas = views.affine_canvas(size, data.crop, options.affine, options.squash, rng)
        else:
            canvas = views.plain_canvas(size)
        if min(canvas.size) < data.crop:
            self._warn_of_small(source, size)
        scale = data.crop_scales[rng.integers(len(data.crop_scales))]
        side = max(1, min(round(data.crop * scale), *canvas.size))
        radii = self._in_pixels(radii, canvas.scale * side / data.crop)
        return views.view_at(canvas, unknown_place(stored, radii, rng), side, data.crop)

    def _layer(
        self,
        stored: Stored,
        radii: Radii,
        view: View,
        interpolation: int | None,
        rng: np.random.Generator,
    ) -> Layer:
        """A foreground as the view shows it."""
        layer = sample_view(stored.rgba, view, interpolation)
        radii = self._in_pixels(radii, view.scale)
        trimap = trimap_through(stored, radii, view, layer[..., 3])
        return (thin(layer, rng) if _chance(self._options.thin, rng) else layer), trimap

    def _in_pixels(self, radii: Radii, scale: float) -> Radii:
        """Radii in pixels of the foreground's picture, `scale` of which are one of the sample."""
        return radii.scaled(scale) if self._radii_of_sample else radii

    def _fused(self, first: Layer, second: Layer, rng: np.random.Generator) -> Layer:
        """One over the other, with the trimap of both; the first where all is opaque."""
        (front, trimap), (behind, other) = first, second
        fused = (fuse_exactly if self._options.fuse_exact else fuse)(front, behind)
        if fused is front:
            return first
        if _chance(self._options.hide_fused, rng):
            other = np.minimum(other, np.uint8(UNKNOWN))
        # Known foreground in either is known; what is background is so in both.
        return fused, np.maximum(trimap, other)

    def _warn_of_small(self, source: Foreground, size: tuple[int, int]) -> None:
        worker = get_worker_info()
        # Every worker meets every foreground, sooner or later; one is enough to warn.
        if worker is None or worker.id == 0:
            small = f"{source.fg}: {size[1]} x {size[0]} is smaller than a crop"
            warn_once(f"{small}; its crops are enlarged")


class Sources:
    """The data of a config; training and validation share it, and what is wrong with its pictures.

    Raises:
        InputError: no data, no split or no store; more than 1 % of the pictures are not there.
    """

    def __init__(self, config: Config) -> None:
        options = config.data
        self.config = config
        self._foregrounds = foregrounds(options.folder, "train")
        problems: list[str] = []
        self._backgrounds = backgrounds(options.folder, "train", options.backgrounds, problems)
        tolerate(problems, len(self._backgrounds) + len(problems), "backgrounds")
        self._store = Store(options.folder)
        self._split = read_split(options.folder)
        self._usable = set(self._store.usable(self._foregrounds))
        self.failures = Failures(len(self._foregrounds) + len(self._backgrounds))

    def identity(self) -> dict[str, str]:
        """A short text for each of what samples are made of: equal for the same, wherever it lies.

        A foreground is taken for the same by its name, its size in bytes and how it was stored, a
        background by its name.
        """
        usable = [one for one in self._foregrounds if one in self._usable]
        content = {
            "split of the data": self._split,
            "set of foregrounds": [self._store.identity(one) for one in usable],
            "set of backgrounds": [path.name for path in self._backgrounds],
        }
        return {name: short(value) for name, value in content.items()}

    def samples(self, subset: Subset) -> CropSet:
        """The samples that train, or the same crops each time of those that validate."""
        config, chosen = self.config, getattr(self._split, subset)
        each, behind = self._each(), self._backgrounds
        items = []
        for place, one in enumerate(self._foregrounds):
            if one in self._usable and one.name in chosen:
                for number in self._numbers(chosen[one.name], subset):
                    index = None if number is None else (place * each + number) % len(behind)
                    items.append(Item(one, None if index is None else behind[index]))
        weights = (config.loss.composition, config.loss.coarse_composition)
        return CropSet(
            self._store,
            items,
            self._backgrounds,
            config.data,
            config.augment,
            config.seed,
            layers=subset == "train" and any(weights),
            subset=subset,
        )

    def _each(self) -> int:
        """How many composites a foreground has; the lists of a split by composite hold them all."""
        listed = (
            number for part in self._split for numbers in part.values() for number in numbers or ()
        )
        return 1 + max(listed, default=self.config.data.backgrounds_per_foreground - 1)

    def _numbers(self, composites: list[int] | None, subset: Subset) -> list[int | None]:
        """Of each sample of a foreground, which of its backgrounds it has; None is any."""
        options = self.config.data
        if composites is not None:
            return composites[: options.valid_backgrounds] if subset == "valid" else composites
        if subset == "valid":
            return [None] * options.valid_backgrounds
        each = options.backgrounds_per_foreground
        return [None] * each if options.shuffle_backgrounds else list(range(each))


def _chance(probability: float, rng: np.random.Generator) -> bool:
    """Whether it happens; what never does draws nothing."""
    return probability > 0 and rng.random() < probability
