"""Silhouettes full of holes: nets and lace, bushes, fronds and grasses."""

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
    fill,
    finish,
    fixed,
    ink,
    layer,
    shrink,
    stack,
)
from utils.render.noise import (
    Rng,
    Shape,
    direction,
    grid,
    log_uniform,
    palette,
    rgb,
    smoothstep,
    spectral,
)

GREEN = rgb("3e5828 587034 2e462c 788246 8c783c 804c2c 606852")
UP = -np.pi / 2


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


def leaves(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A bush, a branch, a rosette of spikes or a tuft of grass; often in a pot."""
    height, width = shape
    unit = min(shape)
    kind = rng.choice(["bush", "fronds", "spikes", "grass"])
    potted = rng.random() < 0.6
    across = width * rng.uniform(0.42, 0.58)
    down = height * (rng.uniform(0.66, 0.76) if potted else rng.uniform(0.85, 1.02))
    root = np.array([across, down])
    green = GREEN[rng.integers(len(GREEN))] * rng.uniform(0.75, 1.25)
    layers = []
    for depth in (0.65, 1.0):  # a darker layer behind
        painted = canvas(shape)
        if kind == "bush":
            _bush(rng, painted, root, unit, green * depth)
        elif kind == "fronds":
            _fronds(rng, painted, root, unit, green * depth)
        else:
            _blades(rng, painted, root, unit, green * depth, kind == "grass")
        layers.insert(0, shrink(painted, shape))
    layers[1] = blur(layers[1], rng.choice([0, 0, 0.8, 1.6]))  # out of the plane of focus
    if potted:
        wide, high = unit * rng.uniform(0.13, 0.2), unit * rng.uniform(0.2, 0.3)
        foot = wide * rng.uniform(0.6, 1.0)
        rim = [[-wide, -high * 0.15], [wide, -high * 0.15]]
        pot = root + np.array([*rim, [wide, 0], [foot, high], [-foot, high], [-wide, 0]])
        layers.insert(int(rng.integers(3)), body(rng, [pot], shape))
    return finish(rng, stack(*layers), (0.15, 0.8))


def _curve(start: np.ndarray, angles: np.ndarray, length: float) -> np.ndarray:
    """The points (P, 2) of a curve that runs along P directions, one after the other."""
    return start + length * np.cumsum(direction(angles), 0) / len(angles)


def _beside(angles: np.ndarray, width: np.ndarray) -> np.ndarray:
    """From the points of a curve to those of its side, `width` (P,) away."""
    return np.stack([-np.sin(angles), np.cos(angles)], 1) * width[:, None]


def _leaf(
    rng: Rng,
    painted: np.ndarray,
    base: np.ndarray,
    way: float,
    length: float,
    slim: float,
    colour: np.ndarray,
) -> None:
    """One pointed leaf: two halves of different light, a midrib, at times a bent tip."""
    t = np.linspace(0, 1, 9)
    bent = way + rng.normal(0, 0.5) * t
    spine = _curve(base, bent, length)
    side = _beside(bent, length * slim * np.sin(np.pi * t**0.8))
    light = rng.normal(1, 0.22)
    turned = rng.uniform(0.05, 1)  # leaves seen from the side are narrow
    for sign, tone in ((1, 1.0), (-1, rng.uniform(0.65, 0.95))):
        half = np.concatenate([spine, (spine + sign * side * turned)[::-1]])
        fill(painted, half, ink(colour * light * tone))
    draw_line(painted, spine, ink(colour * light * 1.2), 1)


def _bush(rng: Rng, painted: np.ndarray, root: np.ndarray, unit: int, colour: np.ndarray) -> None:
    """Branches that fork, leaves along the young ones."""
    length = unit * rng.uniform(0.035, 0.09)
    slim = rng.uniform(0.14, 0.34)
    bark = np.array([0.3, 0.24, 0.19]) * rng.uniform(0.6, 1.4)
    branches = [
        (root, UP + rng.normal(0, 0.5), unit * rng.uniform(0.16, 0.24), 0)
        for _ in range(rng.integers(2, 5))
    ]
    spots = []
    while branches:
        start, way, reach, level = branches.pop()
        path = _curve(start, way + rng.normal(0, 0.35) * np.linspace(0, 1, 8), reach)
        thick = SUPERSAMPLE * unit * 0.011 * 0.6**level
        draw_line(painted, path, ink(bark * rng.normal(1, 0.1)), thick)
        if level >= 1:
            spots += [(point, way) for point in path[rng.integers(0, 8, 5)]]
        for _ in range(rng.integers(2, 4) if level < 4 else 0):
            fork, turn = path[rng.integers(4, 8)], rng.normal(0, 0.65)
            branches.append((fork, way + turn, reach * rng.uniform(0.6, 0.9), level + 1))
    for index in rng.permutation(len(spots))[:700]:
        point, way = spots[index]
        turn, size = rng.normal(0, 0.9), length * rng.uniform(0.5, 1.2)
        _leaf(rng, painted, point, way + turn, size, slim, colour * (1 + rng.normal(0, 0.05, 3)))


def _fronds(rng: Rng, painted: np.ndarray, root: np.ndarray, unit: int, colour: np.ndarray) -> None:
    """Fern or palm: arching stems with leaflets on both sides."""
    slim = rng.uniform(0.05, 0.16)
    for _ in range(rng.integers(6, 13)):
        way = UP + rng.normal(0, 0.7)
        fall = rng.uniform(0.4, 1.5) * np.sign(np.cos(way))
        bent = way + fall * np.linspace(0, 1, 40) ** 1.5
        reach = unit * rng.uniform(0.4, 0.7)
        path = _curve(root, bent, reach)
        tone = colour * rng.normal(1, 0.15)
        draw_line(painted, path, ink(tone * 0.8), SUPERSAMPLE * unit * 0.004)
        for index in range(6, 40):
            size = reach * 0.24 * np.sin(np.pi * (index / 42) ** 0.7) + 2
            for side in (-1, 1):
                way = bent[index] + side * rng.normal(0.95, 0.12)
                _leaf(rng, painted, path[index], way, size, slim, tone)


def _blades(
    rng: Rng, painted: np.ndarray, root: np.ndarray, unit: int, colour: np.ndarray, grass: bool
) -> None:
    """Grass, or the rosette of a pineapple: blades that taper and bend over."""
    count = int(rng.integers(120, 320)) if grass else int(rng.integers(25, 60))
    wide = unit * (rng.uniform(0.003, 0.009) if grass else rng.uniform(0.012, 0.035))
    spread = unit * rng.uniform(0.02, 0.2 if grass else 0.08)
    t = np.linspace(0, 1, 16)
    for _ in range(count):
        way = UP + rng.normal(0, 0.42 if grass else 0.7)
        bent = way + rng.normal(0, 0.9) * t**2
        reach = unit * rng.uniform(0.25, 0.68)
        start = root + np.array([rng.normal(0, spread), rng.uniform(0, 0.02) * unit])
        path = _curve(start, bent, reach)
        side = _beside(bent, wide * rng.uniform(0.4, 1) * (1 - t) ** 0.7)
        tone = colour * rng.normal(1, 0.2) * (1 + rng.normal(0, 0.06, 3))
        fill(painted, np.concatenate([path, (path + side)[::-1]]), ink(tone))
        shaded = ink(tone * rng.uniform(0.6, 0.95))
        fill(painted, np.concatenate([path, (path - side)[::-1]]), shaded)
    for _ in range(rng.integers(5, 25) if grass and rng.random() < 0.5 else 0):  # flowers
        place = root + np.array([rng.normal(0, 2 * spread), -unit * rng.uniform(0.25, 0.6)])
        petal = palette(rng, 1)[0]
        for way in np.arange(6) * 2 * np.pi / 6 + rng.uniform(0, 6):
            _leaf(rng, painted, place, way, unit * 0.025, 0.3, petal)
