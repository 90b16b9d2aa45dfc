"""Natural-looking colours and textures: noise with 1/f spectra, stripes, spots, cells, weaves."""

from collections.abc import Callable

import cv2
import numpy as np
from scipy import fft

Rng = np.random.Generator
Shape = tuple[int, int]  # height, width


def spectral(
    rng: Rng,
    shape: Shape,
    slope: float = 1.2,
    low: float = 1.0,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """(H, W) float32 noise of mean 0 and deviation 1 whose amplitude falls as 1 / f^slope.

    Args:
        low: frequency, in cycles per long side, below which the amplitude stays level.
        stretch: weight of the vertical and horizontal frequency; above 1 means smoother that way.
    """
    # A quarter more than asked for, cut off again: the transform is periodic, pictures are not.
    height, width = (fft.next_fast_len(int(side * 1.25) + 1, real=True) for side in shape)
    vertical = fft.fftfreq(height).astype(np.float32)[:, None] * stretch[0]
    horizontal = fft.rfftfreq(width).astype(np.float32)[None] * stretch[1]
    amplitude = np.maximum(np.hypot(vertical, horizontal) * max(shape), low) ** -slope
    amplitude[0, 0] = 0
    spectrum = fft.rfft2(rng.standard_normal((height, width), dtype=np.float32)) * amplitude
    noise = fft.irfft2(spectrum, s=(height, width))[: shape[0], : shape[1]]
    return ((noise - noise.mean()) / (noise.std() + 1e-6)).astype(np.float32)


def grid(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """The x and the y of every pixel, (H, W) float32."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return x, y


def direction(angle: float | np.ndarray) -> np.ndarray:
    """The unit vectors (..., 2) of angles, in x and y."""
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number from `low` to `high` whose logarithm is drawn evenly."""
    return np.exp(rng.uniform(np.log(low), np.log(high)))


def rgb(codes: str) -> np.ndarray:
    """(N, 3) RGB in [0, 1] of colours in hexadecimal, as in HTML."""
    return np.array([list(bytes.fromhex(code)) for code in codes.split()]) / 255


def palette(rng: Rng, count: int) -> np.ndarray:
    """(count, 3) float32 RGB colours in [0, 1] that go together: mostly muted, often warm."""
    family = rng.choice(4, p=[0.5, 0.17, 0.18, 0.15])
    hues = (rng.uniform(*span) for span in ((35, 90), (95, 140), (225, 290), (0, 360)))
    centre = tuple(hues)[family]
    hue = np.radians(centre + rng.normal(0, 22, count) + 180 * (rng.random(count) < 0.12))
    chroma = np.clip(rng.gamma(1.5, 9 * rng.uniform(0.35, 1.6), count), 0, 48)
    chroma = np.where(np.abs(np.cos(hue) + 0.2) + np.sin(hue) < 0.3, chroma * 0.7, chroma)
    light = np.clip(rng.uniform(35, 80) + rng.normal(0, 20, count), 8, 96)
    lab = np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], 1).astype(np.float32)
    return np.clip(cv2.cvtColor(lab[None], cv2.COLOR_LAB2RGB)[0], 0.02, 1)


def mix(colours: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Colours along the gradient through `colours`; `value` (H, W) in [0, 1]."""
    steps = np.linspace(0, 1, len(colours))
    planes = [np.interp(value, steps, colours[:, channel]) for channel in range(3)]
    return np.stack(planes, -1).astype(np.float32)


def cells(rng: Rng, shape: Shape, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Voronoi cells about `size` pixels wide: labels from 1, and the distance to the seed."""
    count = max(3, int(shape[0] * shape[1] / size**2))
    seeds = np.full(shape, 255, np.uint8)
    seeds[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return labels, distance


def texture(
    rng: Rng, shape: Shape, colours: np.ndarray | None = None, kind: str | None = None
) -> np.ndarray:
    """An (H, W, 3) float32 texture in [0, 1], of a random kind of `TEXTURES` unless named."""
    colours = palette(rng, 5) if colours is None else colours
    kind = kind or str(rng.choice(list(TEXTURES), p=WEIGHTS))
    image = TEXTURES[kind](rng, shape, colours)
    # Dirt, grain and fading: nothing in a photograph is of one colour.
    tone = spectral(rng, shape, rng.uniform(0.9, 1.5)) * rng.uniform(0.02, 0.11)
    tint = spectral(rng, shape, 1.6)[..., None] * rng.normal(0, 0.015, 3).astype(np.float32)
    return np.clip(image * (1 + tone[..., None]) + tint, 0.01, 1).astype(np.float32)


def _clouds(rng: Rng, shape: Shape, colours: np.ndarray) -> np.ndarray:
    noise = spectral(rng, shape, rng.uniform(0.8, 1.7), rng.uniform(1, 8))
    return mix(colours, smoothstep(-2, 2, noise))


def _plain(rng: Rng, shape: Shape, colours: np.ndarray) -> np.ndarray:
    return mix(colours[:2], smoothstep(-3, 3, spectral(rng, shape, 2.0)))


def _stripes(rng: Rng, shape: Shape, colours: np.ndarray) -> np.ndarray:
    period = max(shape) * log_uniform(rng, 0.012, 0.15)
    phase = _along(rng, shape) / period + spectral(rng, shape, 1.8) * rng.uniform(0, 0.6)
    wave = np.sin(2 * np.pi * phase) + rng.uniform(-0.7, 0.7)
    sharp = rng.uniform(0.05, 1.2)
    return mix(colours[:3], smoothstep(-sharp, sharp, wave))


def _spots(rng: Rng, shape: Shape, colours: np.ndarray) -> np.ndarray:
    noise = spectral(rng, shape, rng.uniform(2.5, 4), rng.uniform(8, 45))
    spots = smoothstep(0.4, 0.4 + rng.uniform(0.1, 0.6), noise)[..., None]
    return _clouds(rng, shape, colours[:2]) * (1 - spots) + colours[2] * spots


def _patches(rng: Rng, shape: Shape, colours: np.ndarray) -> np.ndarray:
    labels, distance = cells(rng, shape, max(shape) * rng.uniform(0.02, 0.2))
    table = colours[rng.integers(0, len(colours), labels.max() + 1)]
    table = table * rng.uniform(0.8, 1.2, (len(table), 1))
    return table[labels] * (1 - rng.uniform(0, 0.3) * distance / distance.max())[..., None]


def _weave(rng: Rng, shape: Shape, colours: np.ndarray) -> np.ndarray:
    period = max(shape) * rng.uniform(0.05, 0.25)
    bands = [np.repeat(rng.integers(0, len(colours), 8), rng.integers(2, 14, 8)) for _ in "uv"]
    turn = rng.uniform(0, np.pi)
    bend = spectral(rng, shape, 2.0) * period * rng.uniform(0, 0.3)
    lines = []
    for band, angle in zip(bands, (turn, turn + np.pi / 2), strict=True):
        place = (_along(rng, shape, angle) + bend) / period * 12
        lines.append(colours[band[place.astype(int) % len(band)]])
    fine = np.sin(_along(rng, shape, turn) * rng.uniform(1, 2.5))[..., None]
    return (lines[0] + lines[1]) / 2 * (1 + rng.uniform(0, 0.15) * fine)


def _wood(rng: Rng, shape: Shape, colours: np.ndarray) -> np.ndarray:
    stretch = (1.0, 8.0) if rng.random() < 0.5 else (8.0, 1.0)
    return mix(colours[:3], smoothstep(-2, 2, spectral(rng, shape, 1.0, 3, stretch)))


def _along(rng: Rng, shape: Shape, angle: float | None = None) -> np.ndarray:
    """How far each pixel lies along a direction."""
    angle = rng.uniform(0, np.pi) if angle is None else angle
    x, y = grid(shape)
    return x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))


TEXTURES: dict[str, Callable[[Rng, Shape, np.ndarray], np.ndarray]] = {
    "clouds": _clouds,
    "plain": _plain,
    "stripes": _stripes,
    "spots": _spots,
    "patches": _patches,
    "weave": _weave,
    "wood": _wood,
}
WEIGHTS = [0.26, 0.22, 0.13, 0.11, 0.1, 0.1, 0.08]
