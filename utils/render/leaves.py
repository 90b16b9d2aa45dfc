"""Leaves: bushes, fronds, grasses and branches, spiky silhouettes full of holes."""

import numpy as np

from utils.render.bodies import body
from utils.render.layers import (
    SUPERSAMPLE,
    blur,
    canvas,
    draw_line,
    fill,
    finish,
    ink,
    shrink,
    stack,
)
from utils.render.noise import Rng, Shape, direction, palette, rgb

GREEN = rgb("3e5828 587034 2e462c 788246 8c783c 804c2c 606852")
UP = -np.pi / 2


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
