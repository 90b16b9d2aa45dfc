"""Hair and fur: thousands of curved, tapering strands over an opaque body."""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

from utils.render.bodies import creature, features, lit, person
from utils.render.layers import (
    SHIFT,
    SUPERSAMPLE,
    blur,
    canvas,
    coverage,
    finish,
    fixed,
    layer,
    shrink,
    stack,
)
from utils.render.noise import (
    Rng,
    Shape,
    direction,
    log_uniform,
    rgb,
    smoothstep,
    spectral,
    texture,
)

STEPS = 24  # points along a guide
POINTS = 67  # points along a strand: a tight curl needs ten to a turn
HAIR = rgb("120f0e 261a14 462e20 62422a 783e24 ac8454 cdb080 96928e e0dcd4")
WHOLE = -np.pi, np.pi  # an arc of the scalp


class Style(NamedTuple):
    """How hair grows: its length in radii of the head, how it falls, and its waves."""

    length: tuple[float, float]
    weight: float
    swing: float = 0.012
    turns: float = 1.5


STYLES = {
    "straight": Style((1.8, 3.6), 0.22),
    "wavy": Style((1.6, 3.2), 0.17, 0.05, 3.0),
    "curly": Style((1.2, 2.2), 0.1, 0.1, 5.5),
    "wind": Style((2, 3.4), 0.05),
    "short": Style((0.45, 0.8), 0.08),
    "spiky": Style((0.7, 1.5), 0.0),
}


def hair(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A head and shoulders with hair: straight, wavy, curly, blown by the wind or on end."""
    height, width = shape
    unit = min(shape)
    radius = unit * rng.uniform(0.15, 0.25)
    head = np.array([width * rng.uniform(0.38, 0.62), height * rng.uniform(0.36, 0.52)])
    dyed = rng.uniform(0.1, 0.8, 3)
    colour = dyed if rng.random() < 0.1 else HAIR[rng.integers(len(HAIR))] * rng.uniform(0.8, 1.2)
    style = rng.choice(["straight", "wavy", "curly", "wind", "short", "spiky"])
    away = rng.random() < 0.35  # seen from behind: hair hides the face
    figure = person(rng, shape, head, radius)
    behind = _locks(rng, shape, head, radius, colour * 0.8, style, 3000, WHOLE)
    front = WHOLE if away else (-np.pi * 0.97, -np.pi * 0.03)
    near = _locks(rng, shape, head, radius, colour, style, 3400, front, parted=not away)
    loose = _locks(rng, shape, head, radius, colour, style, 260, WHOLE, loose=True)
    loose = blur(loose, rng.choice([0, 0, 0.7, 1.5]))
    return finish(rng, stack(loose, near, figure, behind), (0.15, 0.7))


def fur(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """An animal or a plush toy: short strands all over, standing out at the silhouette."""
    unit = min(shape)
    length = unit * log_uniform(rng, 0.015, 0.085)
    outlines, head, radius = creature(rng, shape, rng.uniform(0.85, 1.1))
    cover = coverage(outlines, shape)
    kind = str(rng.choice(["clouds", "clouds", "plain", "spots", "patches", "stripes"]))
    coat = texture(rng, shape, kind=kind) * lit(rng, cover, 0.01)[..., None]
    inside = cover > 0.5
    fewest, most = _fitting(shape, 5000), _fitting(shape, 15000)
    count = int(np.clip(0.55 * inside.sum() / length, fewest, most))
    # Half of the roots near the silhouette, where the strands are seen one by one.
    soft = blur(cover, length * 0.6)
    anywhere = rng.choice(np.flatnonzero(inside), count // 2)
    at_rim = rng.choice(np.flatnonzero(inside & (soft < 0.85)), count - count // 2)
    roots = np.concatenate([anywhere, at_rim])
    roots = np.stack(np.unravel_index(roots, shape)[::-1], 1) + rng.random((count, 2))
    x, y = roots.astype(int).T
    wide = blur(cover, unit * 0.03)
    out = -np.stack([cv2.Sobel(wide, cv2.CV_32F, 1, 0), cv2.Sobel(wide, cv2.CV_32F, 0, 1)], -1)
    flow = np.stack([spectral(rng, shape, 2.2, 2), spectral(rng, shape, 2.2, 2)], -1)
    fall = np.array([rng.normal(0, 0.4), rng.uniform(0, 0.9)])
    way = _unit(out)[y, x] * rng.uniform(0.5, 1.3) + flow[y, x] * 0.35 + fall
    way = _unit(way) + rng.normal(0, rng.uniform(0.12, 0.4), (count, 2))
    curl = rng.choice([0.1, 0.3, 0.9])
    t = np.linspace(0, 1, 7)[None, :, None]
    size = length * rng.gamma(9, 1 / 9, (count, 1, 1))
    bend = np.stack([-way[:, 1], way[:, 0]], 1)[:, None] * rng.normal(0, curl, (count, 1, 1))
    paths = roots[:, None] + size * (way[:, None] * t + (bend + fall * 0.4) * t**2 * 0.6)
    tone = rng.normal(1, 0.14, (count, 1, 1)) * np.array([0.72, 1.0, 1.14])[None, :, None]
    colours = coat[y, x][:, None] * tone
    order = np.argsort(-(roots @ fall) + rng.normal(0, length * 0.5, count))  # like shingles
    thick = max(1, round(SUPERSAMPLE * unit / 540 * rng.uniform(0.25, 0.6)))
    painted = _paint(shape, paths[order], colours[order], np.full(count, thick))
    under = layer(coat * 0.75, smoothstep(0.55, 0.8, soft))
    face = features(rng, shape, np.array(head), radius * 0.95) if rng.random() < 0.8 else []
    return finish(rng, stack(*face, shrink(painted, shape), under), (0.15, 0.8))


def _locks(
    rng: Rng,
    shape: Shape,
    head: np.ndarray,
    radius: float,
    colour: np.ndarray,
    style: str,
    count: int,
    arc: tuple[float, float],
    parted: bool = False,
    loose: bool = False,
) -> np.ndarray:
    """Strands in clumps from the scalp: a layer, filled where they are dense."""
    count = _fitting(shape, count)
    lengths = {name: rng.uniform(*one.length) for name, one in STYLES.items()}
    wind = rng.choice([-1, 1]) * 0.16 if style == "wind" else rng.normal(0, 0.015)
    fall = np.array([wind, STYLES[style].weight * (0.55 if loose else 1)])
    clumps = count if loose else int(rng.integers(70, 260))
    angles = rng.uniform(*arc, clumps)
    guides = _guides(rng, head, radius, angles, radius * lengths[style], fall, parted, loose)
    which = np.arange(count) if loose else rng.integers(0, clumps, count)
    t = np.linspace(0, 1, POINTS)[None, :, None]
    guides = CubicSpline(np.linspace(0, 1, STEPS), guides, axis=1)(t.ravel())
    fan = rng.normal(0, radius * rng.uniform(0.035, 0.08), (count, 1, 2))
    tight = rng.uniform(0.2, 0.9)
    paths = guides[which] + fan * (1 - tight * t) * (0.6 + t)
    swing = STYLES[style].swing * radius * rng.uniform(0.7, 1.4)
    turns = STYLES[style].turns * rng.uniform(0.8, 1.2, (count, 1, 1))
    phase = rng.uniform(0, 6.3, (clumps, 1, 1))[which] + rng.normal(0, 0.5, (count, 1, 1))
    turning = turns * 6.3 * t + phase
    wave = np.concatenate([np.sin(turning), np.cos(turning)], 2)
    paths = paths + wave * swing * t * rng.gamma(4, 0.25, (count, 1, 1))
    colours = _gloss(rng, paths, colour, which, clumps)
    fine = SUPERSAMPLE * min(shape) / 540
    thick = np.full(count, 1) if loose else rng.integers(1, max(2, round(fine * 0.5)) + 1, count)
    strands = shrink(_paint(shape, paths, colours, thick), shape)
    if loose:
        return strands
    dense = smoothstep(0.6, 0.85, blur(strands[..., 3], min(shape) * 0.007))
    return stack(strands, layer(colour * 0.45, dense))


def _guides(
    rng: Rng,
    head: np.ndarray,
    radius: float,
    angles: np.ndarray,
    length: float,
    fall: np.ndarray,
    parted: bool,
    loose: bool,
) -> np.ndarray:
    """One curve (STEPS, 2) for each angle, bent step by step by weight, wind and chance."""
    clumps = len(angles)
    depth = np.sqrt(rng.uniform(0.55, 1.02, clumps))
    rise = np.array([1.0, 1.18])
    place = head + radius * depth[:, None] * rise * direction(angles)
    if parted:  # front hair leaves the parting above the face and runs to the sides
        part = head + radius * rise * np.array([rng.normal(0, 0.3), -0.85])
        place = part + (place - part) * rng.uniform(0.05, 1, (clumps, 1)) * [1, 0.35]
        angles = np.where(place[:, 0] < part[0], -np.pi * 0.9, -np.pi * 0.1)
    way = direction(angles)
    way = way + rng.normal(0, 0.5 if loose else 0.25, way.shape)
    own = length * (rng.uniform(0.35, 1.1, clumps) if loose else rng.uniform(0.6, 1.05, clumps))
    push = rng.normal(0, 0.11 if loose else 0.05, (clumps, 2))
    guides = np.empty((clumps, STEPS, 2))
    for step in range(STEPS):
        guides[:, step] = place
        way = way + fall + push
        way = _unit(way + rng.normal(0, 0.06, way.shape))
        place = place + way * own[:, None] / STEPS
        if parted:  # hair goes round the face, not through it
            off = (place - head) / rise
            near = np.linalg.norm(off, axis=1, keepdims=True)
            place = np.where(near < radius * 1.02, head + off / near * radius * 1.02 * rise, place)
    return guides


def _gloss(
    rng: Rng, paths: np.ndarray, colour: np.ndarray, which: np.ndarray, clumps: int
) -> np.ndarray:
    """Colours (N, S, 3) along strands: gloss across the light, dark at the root and deep inside."""
    count = len(paths)
    run = _unit(np.diff(paths, axis=1)[:, ::11])
    lamp = _unit(np.array([rng.normal(), rng.normal()]))
    across = np.abs(run[..., 0] * lamp[1] - run[..., 1] * lamp[0])
    shade = 0.62 + 0.35 * across**2 + rng.uniform(0.1, 0.5) * across**14
    shade = shade * np.linspace(0.75, 1.08, shade.shape[1]) * rng.normal(1, 0.15, (count, 1))
    shade = shade * rng.normal(1, 0.1, (clumps, 1))[which]
    warm = 1 + rng.normal(0, 0.04, (count, 1, 1)) * np.array([1, 0, -1])
    return (colour * warm) * shade[..., None]


def _paint(shape: Shape, paths: np.ndarray, colours: np.ndarray, thick: np.ndarray) -> np.ndarray:
    """Paint (N, K, 2) curves in order; `colours` (N, S, 3) along each; thinner at the tip."""
    painted = canvas(shape)
    pieces = colours.shape[1]
    cuts = np.linspace(0, paths.shape[1] - 1, pieces + 1).round().astype(int)
    points, inks = fixed(paths), np.clip(colours * 255, 4, 255).round().astype(int).tolist()
    for strand, tones, width in zip(points, inks, thick.tolist(), strict=True):
        for piece, tone in enumerate(tones):
            part = strand[cuts[piece] : cuts[piece + 1] + 1]
            taper = max(1, round(width * (1 - piece / pieces)))
            cv2.polylines(painted, [part], False, (*tone, 255), taper, cv2.LINE_AA, SHIFT)
    return painted


def _fitting(shape: Shape, count: int) -> int:
    """Fewer strands in a small picture, where each covers more of it."""
    return int(count * np.clip(min(shape) / 480, 0.1, 1))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-6)
