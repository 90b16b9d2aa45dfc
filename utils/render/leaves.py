"""Leaves: bushes, fronds, grasses and branches, spiky silhouettes full of holes."""

import cv2
import numpy as np

from utils.render.bodies import body
from utils.render.layers import (
    SHIFT,
    SUPERSAMPLE,
    blur,
    canvas,
    finish,
    fixed,
    shrink,
    stack,
)
from utils.render.noise import palette

GREEN = (
    np.array(
        [
            [62, 88, 40],
            [88, 112, 52],
            [46, 70, 44],
            [120, 130, 70],
            [140, 120, 60],
            [128, 76, 44],
            [96, 104, 82],
        ]
    )
    / 255
)


def leaves(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A bush, a branch, a rosette of spikes or a tuft of grass; often in a pot."""
    height, width = shape
    unit = min(shape)
    kind = rng.choice(["bush", "fronds", "spikes", "grass"])
    potted = rng.random() < 0.6
    root = np.array(
        [
            width * rng.uniform(0.42, 0.58),
            height * (rng.uniform(0.66, 0.76) if potted else rng.uniform(0.85, 1.02)),
        ]
    )
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
        pot = root + np.array(
            [
                [-wide, -high * 0.15],
                [wide, -high * 0.15],
                [wide, 0],
                [foot, high],
                [-foot, high],
                [-wide, 0],
            ]
        )
        layers.insert(int(rng.integers(3)), body(rng, [pot], shape))
    return finish(rng, stack(*layers), (0.15, 0.8))


def _leaf(
    rng: np.random.Generator,
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
    spine = base + length * np.cumsum(np.stack([np.cos(bent), np.sin(bent)], 1), 0) / 9
    side = (
        np.stack([-np.sin(bent), np.cos(bent)], 1)
        * (length * slim * np.sin(np.pi * t**0.8))[:, None]
    )
    light = rng.normal(1, 0.22)
    turned = rng.uniform(0.05, 1)  # leaves seen from the side are narrow
    for sign, tone in ((1, 1.0), (-1, rng.uniform(0.65, 0.95))):
        half = np.concatenate([spine, (spine + sign * side * turned)[::-1]])
        _fill(painted, half, colour * light * tone)
    cv2.polylines(painted, [fixed(spine)], False, _ink(colour * light * 1.2), 1, cv2.LINE_AA, SHIFT)


def _bush(
    rng: np.random.Generator, painted: np.ndarray, root: np.ndarray, unit: int, colour: np.ndarray
) -> None:
    """Branches that fork, leaves along the young ones."""
    length = unit * rng.uniform(0.035, 0.09)
    slim = rng.uniform(0.14, 0.34)
    bark = np.array([0.3, 0.24, 0.19]) * rng.uniform(0.6, 1.4)
    stack_ = [
        (root, -np.pi / 2 + rng.normal(0, 0.5), unit * rng.uniform(0.16, 0.24), 0)
        for _ in range(rng.integers(2, 5))
    ]
    spots = []
    while stack_:
        start, way, reach, level = stack_.pop()
        t = np.linspace(0, 1, 8)
        bent = way + rng.normal(0, 0.35) * t
        path = start + reach * np.cumsum(np.stack([np.cos(bent), np.sin(bent)], 1), 0) / 8
        thick = max(1, round(SUPERSAMPLE * unit * 0.011 * 0.6**level))
        cv2.polylines(
            painted,
            [fixed(path)],
            False,
            _ink(bark * rng.normal(1, 0.1)),
            thick,
            cv2.LINE_AA,
            SHIFT,
        )
        if level >= 1:
            spots += [(point, way) for point in path[rng.integers(0, 8, 5)]]
        if level < 4:
            stack_ += [
                (
                    path[rng.integers(4, 8)],
                    way + rng.normal(0, 0.65),
                    reach * rng.uniform(0.6, 0.9),
                    level + 1,
                )
                for _ in range(rng.integers(2, 4))
            ]
    for index in rng.permutation(len(spots))[:700]:
        point, way = spots[index]
        _leaf(
            rng,
            painted,
            point,
            way + rng.normal(0, 0.9),
            length * rng.uniform(0.5, 1.2),
            slim,
            colour * (1 + rng.normal(0, 0.05, 3)),
        )


def _fronds(
    rng: np.random.Generator, painted: np.ndarray, root: np.ndarray, unit: int, colour: np.ndarray
) -> None:
    """Fern or palm: arching stems with leaflets on both sides."""
    slim = rng.uniform(0.05, 0.16)
    for _ in range(rng.integers(6, 13)):
        way = -np.pi / 2 + rng.normal(0, 0.7)
        fall = rng.uniform(0.4, 1.5) * np.sign(np.cos(way))
        bent = way + fall * np.linspace(0, 1, 40) ** 1.5
        reach = unit * rng.uniform(0.4, 0.7)
        path = root + reach * np.cumsum(np.stack([np.cos(bent), np.sin(bent)], 1), 0) / 40
        tone = colour * rng.normal(1, 0.15)
        cv2.polylines(
            painted,
            [fixed(path)],
            False,
            _ink(tone * 0.8),
            max(1, round(SUPERSAMPLE * unit * 0.004)),
            cv2.LINE_AA,
            SHIFT,
        )
        for index in range(6, 40):
            size = reach * 0.24 * np.sin(np.pi * (index / 42) ** 0.7) + 2
            for side in (-1, 1):
                _leaf(
                    rng,
                    painted,
                    path[index],
                    bent[index] + side * rng.normal(0.95, 0.12),
                    size,
                    slim,
                    tone,
                )


def _blades(
    rng: np.random.Generator,
    painted: np.ndarray,
    root: np.ndarray,
    unit: int,
    colour: np.ndarray,
    grass: bool,
) -> None:
    """Grass, or the rosette of a pineapple: blades that taper and bend over."""
    count = int(rng.integers(120, 320)) if grass else int(rng.integers(25, 60))
    wide = unit * (rng.uniform(0.003, 0.009) if grass else rng.uniform(0.012, 0.035))
    spread = unit * rng.uniform(0.02, 0.2 if grass else 0.08)
    t = np.linspace(0, 1, 16)
    for _ in range(count):
        way = -np.pi / 2 + rng.normal(0, 0.42 if grass else 0.7)
        bent = way + rng.normal(0, 0.9) * t**2
        reach = unit * rng.uniform(0.25, 0.68)
        start = root + np.array([rng.normal(0, spread), rng.uniform(0, 0.02) * unit])
        path = start + reach * np.cumsum(np.stack([np.cos(bent), np.sin(bent)], 1), 0) / 16
        side = (
            np.stack([-np.sin(bent), np.cos(bent)], 1)
            * (wide * rng.uniform(0.4, 1) * (1 - t) ** 0.7)[:, None]
        )
        tone = colour * rng.normal(1, 0.2) * (1 + rng.normal(0, 0.06, 3))
        _fill(painted, np.concatenate([path, (path + side)[::-1]]), tone)
        _fill(painted, np.concatenate([path, (path - side)[::-1]]), tone * rng.uniform(0.6, 0.95))
    if grass and rng.random() < 0.5:  # flowers
        for _ in range(rng.integers(5, 25)):
            place = root + np.array([rng.normal(0, 2 * spread), -unit * rng.uniform(0.25, 0.6)])
            petal = palette(rng, 1)[0]
            for way in np.arange(6) * 2 * np.pi / 6 + rng.uniform(0, 6):
                _leaf(rng, painted, place, way, unit * 0.025, 0.3, petal)


def _fill(painted: np.ndarray, outline: np.ndarray, colour: np.ndarray) -> None:
    cv2.fillPoly(painted, [fixed(outline)], _ink(colour), cv2.LINE_8, SHIFT)


def _ink(colour: np.ndarray) -> tuple[float, float, float, int]:
    red, green, blue = np.clip(colour * 255, 4, 255).tolist()
    return red, green, blue, 255
