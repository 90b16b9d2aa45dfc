"""What light passes: vessels and bags with a bright rim, smoke and clouds of swirling billows."""

import cv2
import numpy as np

from utils.render.bodies import blob, body, capsule, thing
from utils.render.layers import blur, coverage, finish, layer, stack
from utils.render.noise import Rng, Shape, cells, grid, palette, smoothstep, spectral, texture

# Radius from top to bottom, as a share of the largest.
PROFILES = {
    "vase": [0.55, 0.4, 0.35, 0.5, 0.8, 0.98, 1.0, 0.9, 0.7, 0.6],
    "bottle": [0.3, 0.3, 0.3, 0.34, 0.7, 0.97, 1.0, 1.0, 1.0, 0.95],
    "goblet": [0.75, 0.9, 1.0, 0.95, 0.65, 0.12, 0.09, 0.09, 0.25, 0.85],
    "jar": [0.75, 0.75, 0.85, 1.0, 1.0, 1.0, 1.0, 1.0, 0.98, 0.9],
    "tumbler": [1.0, 0.98, 0.96, 0.94, 0.92, 0.9, 0.88, 0.86, 0.84, 0.82],
}


def glass(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A vessel with a drink, a lid or a label, or a crumpled transparent bag with things in it."""
    layers = _bag(rng, shape) if rng.random() < 0.4 else _vessel(rng, shape)
    return finish(rng, stack(*layers))


def _vessel(rng: Rng, shape: Shape) -> list[np.ndarray]:
    height, width = shape
    kind = str(rng.choice(list(PROFILES)))
    tall = height * rng.uniform(0.66, 0.85)
    wide = min(tall * rng.uniform(0.26, 0.5), width * 0.42)
    top = (height - tall) * rng.uniform(0.3, 0.8)
    middle = width * rng.uniform(0.42, 0.58)
    x, y = grid(shape)
    knots = np.linspace(top, top + tall, 10)
    line = np.linspace(top, top + tall, 200)
    radii = blur(np.interp(line, knots, PROFILES[kind]).astype(np.float32)[:, None], 7)[:, 0] * wide
    radius = np.interp(y[:, 0], line, radii)[:, None]
    right, left = (np.stack([middle + side * radii, line], 1) for side in (1, -1))
    cover = coverage([np.concatenate([right, left[::-1]])], shape)
    across = np.clip((x - middle) / radius, -1, 1)
    # The light's way through the wall grows towards the rim, as in any hollow thing.
    rim = np.abs(across) ** rng.uniform(4, 9)
    depth = (y - top) / tall
    ends = np.exp(-(((1 - depth) * 22) ** 2)) * 0.7 + np.exp(-((depth * 70) ** 2)) * 0.5
    bend = spectral(rng, shape, 1.8, 2, (1.0, 0.4))
    alpha = rng.uniform(0.06, 0.3) + 0.6 * rim + ends + 0.05 * np.maximum(bend, 0)
    tint = palette(rng, 1)[0] * 0.5 + rng.uniform(0.15, 0.5)
    colour = tint * (0.75 + 0.5 * rim + 0.12 * bend)[..., None]
    dark = smoothstep(0.86, 0.93, np.abs(across)) * smoothstep(1.0, 0.95, np.abs(across))
    colour = colour * (1 - 0.6 * dark)[..., None]
    if rng.random() < 0.6:  # a drink, darker below its surface
        level = rng.uniform(0.25, 0.7)
        wet = smoothstep(level - 0.004, level + 0.004, depth - 0.012 * (1 - across**2))
        drink = palette(rng, 1)[0] * (0.65 + 0.35 * depth)[..., None]
        strength = wet * rng.uniform(0.3, 0.97)
        alpha = alpha + (1 - alpha) * strength
        colour = colour + (drink * (1 + 0.1 * bend)[..., None] - colour) * wet[..., None] * 0.8
    shine = _streaks(rng, across, depth)
    base = layer(colour, alpha * cover)
    layers = [layer(np.full(3, 0.97), shine * cover), base]
    if rng.random() < 0.5:  # a label round the belly
        low = rng.uniform(0.55, 0.65)
        band = smoothstep(low, low + 0.004, depth) * smoothstep(low + 0.2, low + 0.196, depth)
        paper = texture(rng, shape) * (1 - 0.55 * across**2)[..., None]
        layers.insert(1, layer(paper, band * cover))
    if rng.random() < 0.6:
        edge, high = float(radii[0]) * rng.uniform(0.95, 1.1), tall * rng.uniform(0.03, 0.09)
        above = [[-edge * 0.93, -high], [edge * 0.93, -high]]
        lid = np.array([[-edge, high * 0.4], *above, [edge, high * 0.4]])
        layers.insert(0, body(rng, [np.array([middle, top]) + lid], shape))
    return layers


def _streaks(rng: Rng, across: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The reflections of windows and lamps: bright, nearly opaque streaks down the wall."""
    shine = np.zeros(across.shape, np.float32)
    for _ in range(rng.integers(2, 5)):
        place, thick = rng.uniform(-0.85, 0.85), rng.uniform(0.02, 0.09)
        start, length = rng.uniform(0.05, 0.6), rng.uniform(0.08, 0.5)
        edge = rng.uniform(0.1, 0.9)
        streak = smoothstep(thick, thick * edge, np.abs(across - place))
        streak = streak * smoothstep(start, start + 0.03, depth)
        streak = streak * smoothstep(start + length, start + length - 0.03, depth)
        shine = np.maximum(shine, streak * rng.uniform(0.4, 1.0))
    return shine


def _bag(rng: Rng, shape: Shape) -> list[np.ndarray]:
    height, width = shape
    centre = np.array([width * rng.uniform(0.45, 0.55), height * rng.uniform(0.52, 0.6)])
    reach = min(shape) * rng.uniform(0.3, 0.4)
    sack = blob(rng, centre, (reach, reach * rng.uniform(0.8, 1.1)), 0.16)
    knot = centre - [reach * rng.normal(0, 0.2), reach * 1.25]
    cover = coverage([sack, capsule(centre, knot, reach * 0.4, reach * 0.16)], shape)
    # Creases are the folds of ridged noise and the edges of flat facets.
    folds = np.exp(-np.abs(spectral(rng, shape, 1.7, 3)) * rng.uniform(9, 18))
    fine = np.exp(-np.abs(spectral(rng, shape, 1.5, 9)) * 9)
    labels, _ = cells(rng, shape, reach * 0.3)
    facets = blur(rng.random(labels.max() + 1).astype(np.float32)[labels], 1.5)
    sheen = spectral(rng, shape, 1.8, 3)
    inside = blur(cover, reach * 0.06)
    rim = smoothstep(1.0, 0.55, inside)
    alpha = rng.uniform(0.1, 0.35) + 0.5 * folds + 0.22 * fine + 0.25 * facets + 0.35 * rim
    tint = palette(rng, 1)[0] * 0.35 + rng.uniform(0.3, 0.62)
    colour = tint * (0.7 + 0.35 * facets + 0.3 * folds + 0.08 * sheen)[..., None]
    shine = smoothstep(1.2, 2.4, sheen + folds) * rng.uniform(0.5, 1)
    layers = [layer(np.full(3, 0.97), shine * cover), layer(colour, alpha * cover)]
    for _ in range(rng.integers(1, 5)):  # the shopping
        place = centre + rng.normal(0, 0.28, 2) * reach + [0, reach * 0.2]
        size = reach * rng.uniform(0.25, 0.55)
        good = blob(rng, place, (size, size * rng.uniform(0.7, 1.2)), 0.12)
        layers.append(body(rng, [good], shape))
    return layers


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
