"""Nets and lace: thin warped threads around holes, on or beside an opaque body."""

import cv2
import numpy as np

from utils.render.bodies import blob, body, polygon, thing
from utils.render.layers import (
    SHIFT,
    SUPERSAMPLE,
    blur,
    canvas,
    coverage,
    draw_line,
    finish,
    fixed,
    ink,
    layer,
    shrink,
    stack,
)
from utils.render.noise import Rng, Shape, grid, log_uniform, palette, smoothstep, spectral


def net(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Knotted cords hung in a frame, or a sack of net around a body."""
    unit = min(shape)
    spacing = unit * log_uniform(rng, 0.018, 0.075)
    thick = np.clip(spacing * rng.uniform(0.06, 0.22), unit * 0.0012, unit * 0.01)
    centre = np.array(shape[::-1]) * rng.uniform(0.46, 0.54, 2)
    reach = unit * rng.uniform(0.36, 0.45)
    if rng.random() < 0.6:
        outline = blob(rng, centre, (reach * rng.uniform(0.8, 1.3), reach), 0.15)
    else:
        outline = polygon(rng, centre, reach * 1.2, 4)
    colours = np.clip(palette(rng, 1)[0] * [[0.7], [1.0], [1.25]], 0.03, 1)
    painted = _cords(rng, shape, spacing, thick, colours)
    shade = 1 + 0.2 * spectral(rng, shape, 1.6)
    cords = shrink(painted, shape) * coverage([outline], shape)[..., None]
    cords[..., :3] = np.clip(cords[..., :3] * shade[..., None], 0, cords[..., 3:])
    border = canvas(shape)
    rope = max(2, round(thick * SUPERSAMPLE * rng.uniform(1.5, 7)))
    draw_line(border, outline, (*(palette(rng, 1)[0] * 230).tolist(), 255), rope, closed=True)
    layers = [shrink(border, shape), cords]
    if rng.random() < 0.6:
        layers.append(body(rng, thing(rng, shape, 0.9), shape))
    return finish(rng, stack(*layers), (0.15, 0.7))


def lace(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Lace or a veil: flowers on a fine mesh, hanging in folds from opaque cloth or over a body."""
    height, width = shape
    unit = min(shape)
    x, y = grid(shape)
    period = unit * rng.uniform(0.06, 0.16)
    # Folds squeeze the cloth sideways: the pattern gets denser and the layers darker there.
    fold = spectral(rng, shape, 2.4, 3, (3.0, 1.0))
    bend = unit * rng.uniform(0.01, 0.04)
    u = (x + bend * fold + bend * spectral(rng, shape, 2.2, 2)) / period
    v = (y + bend * spectral(rng, shape, 2.2, 2)) / period
    alpha = _pattern(rng, u, v, period)
    if rng.random() < 0.2:  # a plain veil, too fine for its mesh to be seen
        alpha = np.full(shape, rng.uniform(0.2, 0.45), np.float32)
    slope = np.abs(cv2.Sobel(fold, cv2.CV_32F, 1, 0, scale=unit / 8))
    twice = smoothstep(np.quantile(slope, 0.6), np.quantile(slope, 0.99), slope)
    alpha = 1 - (1 - alpha) ** (1 + rng.uniform(0.3, 2) * twice)
    cloth = palette(rng, 1)[0] * 0.4 + rng.uniform(0.05, 0.58)
    colour = cloth * (0.95 + 0.13 * fold)[..., None]
    top, bottom = height * rng.uniform(0.05, 0.3), height * rng.uniform(0.75, 0.93)
    left, right = width * rng.uniform(0.08, 0.22), width * rng.uniform(0.78, 0.92)
    side = np.linspace(0, 1, 200)
    scallop = period * 0.35 * np.abs(np.sin(np.pi * side * round((right - left) / period)))
    hem = np.stack([left + (right - left) * side, bottom + scallop], 1)
    rising = np.stack([right - unit * 0.1 * side, bottom + (top - bottom) * side], 1)
    falling = np.stack([left + unit * 0.1 * (1 - side), top + (bottom - top) * side], 1)
    inside = coverage([np.concatenate([hem, rising, falling])], shape)
    seam = smoothstep(0.98, 0.9, blur(inside, period * 0.1)) * inside
    sheet = layer(colour, np.maximum(alpha, seam * 0.9) * inside)
    if rng.random() < 0.5:
        solid = thing(rng, shape, 0.9)
    else:
        above = [[left + unit * 0.06, 0], [right - unit * 0.06, 0]]
        solid = [np.array([*above, [right, top + height * 0.22], [left, top + height * 0.18]])]
    kind = str(rng.choice(["plain", "weave", "clouds"]))
    return finish(rng, stack(sheet, body(rng, solid, shape, kind=kind)), (0.15, 0.7))


def _cords(rng: Rng, shape: Shape, spacing: float, thick: float, colours: np.ndarray) -> np.ndarray:
    """Two families of warped parallel lines with knots where they cross, painted on a canvas."""
    painted = canvas(shape)
    reach = int(0.75 * np.hypot(*shape) / spacing)
    turn = rng.uniform(0, np.pi)
    sag = [spectral(rng, shape, 2.4) * spacing * rng.uniform(0.3, 1.6) for _ in "xy"]
    lines = np.arange(-reach, reach + 1)
    along, across = np.meshgrid(np.linspace(-reach, reach, 4 * reach + 1), lines)
    skew = rng.uniform(0.7, 1.0)  # crossings are rarely at right angles
    knots = thick * rng.choice([0, 0.9, 1.5]) * SUPERSAMPLE
    for first, second in ((along, across), (across, along)):
        x = first * np.cos(turn) - second * skew * np.sin(turn)
        y = first * np.sin(turn) + second * skew * np.cos(turn)
        points = np.stack([x, y], -1) * spacing
        points = points + np.array(shape[::-1]) / 2 + rng.uniform(-0.3, 0.3, 2) * spacing
        column = np.clip(points[..., 0], 0, shape[1] - 1).astype(int)
        row = np.clip(points[..., 1], 0, shape[0] - 1).astype(int)
        points = points + np.stack([field[row, column] for field in sag], -1)
        for line in points:
            draw_line(painted, line, ink(colours[rng.integers(3)]), thick * SUPERSAMPLE)
    size = int(knots * (1 << SHIFT))
    for place in fixed(points[:, ::2].reshape(-1, 2)).tolist() if knots > 1 else ():
        cv2.circle(painted, place, size, ink(colours[1]), -1, cv2.LINE_AA, SHIFT)
    return painted


def _pattern(rng: Rng, u: np.ndarray, v: np.ndarray, period: float) -> np.ndarray:
    """The matte of lace over cloth coordinates `u`, `v` in periods: flowers, stems and mesh."""
    soft = 1.0 / period  # one pixel, in periods
    shift = 0.5 * (np.floor(v).astype(int) % 2)  # rows are staggered
    a, b = (u + shift) % 1 - 0.5, v % 1 - 0.5
    radius, angle = np.hypot(a, b), np.arctan2(b, a)
    petals = int(rng.integers(4, 8))
    flower = 0.22 + 0.13 * np.cos(petals * angle + rng.uniform(0, 6))
    solid = smoothstep(soft, -soft, radius - flower)
    eye = smoothstep(-soft, soft, radius - rng.uniform(0.04, 0.1))
    ring = smoothstep(soft, -soft, np.abs(radius - 0.43) - rng.uniform(0.008, 0.03))
    veins = smoothstep(-0.3, 0.3, np.cos(petals * 2 * angle)) * 0.4 + 0.6
    # The ground: threads of a fine net, down to where they blur into a veil.
    count, thread = rng.uniform(7, 14), rng.uniform(0.08, 0.18)
    edge = max(soft * count, 0.08)
    threads = (np.abs(((u + sign * v) * count) % 1 - 0.5) - thread for sign in (-1, 1))
    mesh = np.maximum(*(smoothstep(edge, -edge, one) for one in threads))
    pattern = np.maximum.reduce([solid * eye * veins, ring, mesh * rng.uniform(0.35, 0.9)])
    return pattern.astype(np.float32)
