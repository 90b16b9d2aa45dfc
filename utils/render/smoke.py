"""Smoke, steam and clouds: turbulence carried along swirls, rising from a thing or on its own."""

import cv2
import numpy as np

from utils.render.bodies import body, thing
from utils.render.layers import blur, coverage, finish, layer, stack
from utils.render.noise import Rng, Shape, grid, smoothstep, spectral


def smoke(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A translucent plume, wisp or cloud; half of the time with an opaque object below it."""
    kind = rng.choice(["plume", "wisps", "cloud"])
    x, y = grid(shape)
    unit = min(shape)
    centre = shape[1] * rng.uniform(0.35, 0.65)
    if kind == "cloud":
        middle = shape[0] * rng.uniform(0.35, 0.55)
        away = np.hypot((x - centre) / rng.uniform(0.7, 1.2), y - middle) / (unit * 0.42)
        shell = 1 - away
    else:
        base = shape[0] * rng.uniform(0.7, 0.95)
        rise = np.clip((base - y) / base, -0.05, 1)
        lean = rng.normal(0, 0.35)
        sway = unit * rng.uniform(0.02, 0.12) * np.sin(rise * rng.uniform(3, 9) + rng.uniform(0, 6))
        wide = unit * (0.03 + rng.uniform(0.15, 0.4) * np.maximum(rise, 0) ** rng.uniform(0.7, 1.3))
        shell = 1 - np.abs(x - centre - lean * (base - y) - sway * rise) / wide
        shell = np.minimum(shell, (rise + 0.01) * 12)
        # What leaves the source stays dense, what has risen thins out before the frame ends.
        shell = shell * smoothstep(1.02, rng.uniform(0.5, 0.9), rise)
    # Billows carry 1/f detail; wisps are the thin folds of a ridged field.
    billow = spectral(rng, shape, rng.uniform(1.7, 2.1), 2)
    folds = np.abs(spectral(rng, shape, rng.uniform(2.1, 2.6), 3, (0.6, 1.0)))
    fields = cv2.merge([shell.astype(np.float32), billow, folds])
    fields = _stir(rng, fields, rng.uniform(0.5, 1.3))
    shell, billow, folds = fields[..., 0], fields[..., 1], fields[..., 2]
    if kind == "wisps":
        density = np.maximum(shell, 0) ** 0.7 * (np.exp(-folds * rng.uniform(4, 9)) * 2.2 + 0.12)
    else:
        density = np.maximum(shell + 0.35 * billow - 0.1, 0) * (0.5 + np.exp(-folds * 3))
        density = density * smoothstep(-0.5, 0.35, shell)
    alpha = 1 - np.exp(-density * rng.uniform(1.5, 4.5))
    alpha = np.maximum(alpha - 0.012, 0) / 0.988
    tone = ((0.45, 0.97), 0.03) if rng.random() < 0.8 else ((0.15, 0.4), 0.02)
    tint = rng.uniform(*tone[0]) + rng.normal(0, tone[1], 3)
    cloud = layer(tint * _light(rng, alpha)[..., None], alpha)
    if kind == "cloud" or rng.random() < 0.3:
        return finish(rng, cloud, (0.5, 2.5))
    outlines = [outline - outline.mean(0) for outline in thing(rng, shape, 0.7)]
    foot = np.array([centre, base + unit * 0.06])
    high = max(outline[:, 1].max() - outline[:, 1].min() for outline in outlines)
    outlines = [outline + foot + [0, high * 0.35] for outline in outlines]
    source = body(rng, outlines, shape)
    front = layer(np.zeros(3), coverage(outlines, shape))[..., 3:]
    # In front of the source the plume begins at its top edge.
    cloud = cloud * (1 - front * rng.choice([0.0, 1.0]))
    return finish(rng, stack(blur(cloud, rng.uniform(0.3, 2)), source), (0.2, 0.8))


def _stir(rng: Rng, fields: np.ndarray, strength: float) -> np.ndarray:
    """Carry fields (H, W, C) along random swirls that neither spread nor pile them up."""
    shape = fields.shape[:2]
    x, y = grid(shape)
    for low in (2, 4, 9):
        potential = spectral(rng, shape, 4.5, low)  # smooth: rougher swirls shred, not curl
        across = cv2.Sobel(potential, cv2.CV_32F, 0, 1, scale=1 / 8)
        down = cv2.Sobel(potential, cv2.CV_32F, 1, 0, scale=1 / 8)
        reach = strength * min(shape) * 0.26 / low / (np.hypot(across, down).mean() + 1e-6)
        for _ in range(4):  # short steps follow the curved path
            places = x + across * reach / 4, y - down * reach / 4
            fields = cv2.remap(fields, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return fields


def _light(rng: Rng, alpha: np.ndarray) -> np.ndarray:
    """Thick smoke shades itself: brighter on the side of the lamp."""
    unit = min(alpha.shape)
    soft = cv2.GaussianBlur(alpha, (0, 0), unit * 0.012)
    wide = cv2.GaussianBlur(alpha, (0, 0), unit * 0.04)
    way = rng.uniform(-np.pi, 0)
    shift = np.array([[1, 0, np.cos(way)], [0, 1, np.sin(way)]]) * [[1, 1, unit * 0.03]]
    shade = cv2.warpAffine(wide, shift, alpha.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.clip(1 + rng.uniform(0.2, 0.7) * (soft - shade) - 0.15 * wide, 0.3, 1.25)
