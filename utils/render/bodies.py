"""Opaque bodies: silhouettes of things and creatures, lit and textured."""

import cv2
import numpy as np

from utils.render.layers import blur, coverage, layer, stack
from utils.render.noise import Rng, Shape, direction, rgb, spectral, texture

SKIN = rgb("ecc8b2 d6a88a b68262 8c5e44 583a2c")


def blob(
    rng: Rng, centre: tuple[float, float], radius: tuple[float, float], rough: float = 0.2
) -> np.ndarray:
    """A closed outline around `centre`, (P, 2): an ellipse whose radius wanders by `rough`."""
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    wander = np.zeros_like(angle)
    for wave in range(2, 12):
        wander += rng.normal() / wave**1.4 * np.cos(wave * angle + rng.uniform(0, 6.3))
    return direction(angle) * radius * np.exp(rough * wander)[:, None] + np.asarray(centre)


def polygon(rng: Rng, centre: tuple[float, float], radius: float, corners: int) -> np.ndarray:
    """An angular outline around `centre`, (corners, 2)."""
    angle = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * 2 * np.pi / corners
    reach = radius * rng.uniform(0.65, 1.1, corners)
    return direction(angle + rng.uniform(0, 6.3)) * reach[:, None] + np.asarray(centre)


def capsule(start: np.ndarray, end: np.ndarray, wide: float, narrow: float) -> np.ndarray:
    """The outline of a limb from `start` to `end`, as wide as `wide` there and `narrow` here."""
    along = np.arctan2(*(np.asarray(end) - start)[::-1])
    half = np.linspace(-np.pi / 2, np.pi / 2, 16)
    tip = np.asarray(end) + narrow * direction(along + half)
    back = np.asarray(start) + wide * direction(along + (half + np.pi))
    return np.concatenate([tip, back])


def creature(
    rng: Rng, shape: Shape, size: float = 1.0
) -> tuple[list[np.ndarray], tuple[float, float], float]:
    """A sitting or standing animal-like figure: outlines, and the centre and radius of its head."""
    height, width = shape
    unit = min(shape) * size
    body = np.array([width * rng.uniform(0.4, 0.6), height * rng.uniform(0.6, 0.72)])
    plump = unit * rng.uniform(0.24, 0.33)
    tall = plump * rng.uniform(0.85, 1.4)
    radius = unit * rng.uniform(0.15, 0.24)
    rise = tall + radius * rng.uniform(0.05, 0.5)
    head = body + np.array([rng.uniform(-0.7, 0.7) * plump, -rise])
    head = np.clip(head, radius * 1.5, np.array([width, height]) - radius * 1.5)
    outlines = [
        blob(rng, body, (plump, tall), 0.12),
        blob(rng, head, (radius, radius), 0.1),
        capsule(body, head, plump * 0.6, radius * 0.6),
    ]
    spread, length = rng.uniform(0.5, 1.0), radius * rng.uniform(0.4, 1.1)
    for side in (-1, 1):
        ear = head + radius * 0.75 * np.array([side * np.sin(spread), -np.cos(spread)])
        tip = ear + length * np.array([side * rng.uniform(0.1, 0.9), -1])
        outlines.append(capsule(ear, tip, radius * 0.35, radius * rng.uniform(0.08, 0.3)))
        leg = body + np.array([side * plump * rng.uniform(0.4, 0.9), tall * 0.4])
        foot = leg + np.array([side * plump * rng.uniform(-0.2, 0.7), tall * rng.uniform(0.4, 1.1)])
        outlines.append(capsule(leg, foot, plump * 0.35, plump * rng.uniform(0.15, 0.3)))
    if rng.random() < 0.5:
        side = rng.choice([-1, 1])
        tail = body + np.array([side * plump * 1.7, rng.uniform(-1, 0.4) * tall])
        outlines.append(capsule(body, tail, plump * 0.4, plump * rng.uniform(0.06, 0.25)))
    return outlines, (float(head[0]), float(head[1])), float(radius)


def thing(rng: Rng, shape: Shape, size: float = 1.0) -> list[np.ndarray]:
    """The outlines of some object that fills much of the frame; its parts may stand apart."""
    height, width = shape
    centre = np.array([width * rng.uniform(0.42, 0.58), height * rng.uniform(0.42, 0.6)])
    reach = min(shape) * rng.uniform(0.26, 0.4) * size
    kind = rng.integers(4)
    parts = []
    if kind == 0:
        parts = creature(rng, shape, size)[0]
    elif kind == 1:
        radius = reach, reach * rng.uniform(0.6, 1.3)
        parts.append(blob(rng, centre, radius, rng.uniform(0.05, 0.45)))
    elif kind == 2:
        for _ in range(rng.integers(1, 4)):
            place = centre + rng.normal(0, 0.35, 2) * reach
            radius = reach * rng.uniform(0.5, 1)
            parts.append(polygon(rng, place, radius, int(rng.integers(4, 9))))
    else:
        parts.append(blob(rng, centre, (reach * 0.8, reach * 0.8), 0.15))
        for _ in range(rng.integers(3, 9)):
            way = rng.uniform(0, 6.3)
            end = centre + reach * rng.uniform(0.9, 1.5) * direction(way)
            wide, narrow = reach * rng.uniform(0.08, 0.3), reach * rng.uniform(0.01, 0.15)
            parts.append(capsule(centre, end, wide, narrow))
    return parts


def lit(rng: Rng, cover: np.ndarray, bumps: float | None = None) -> np.ndarray:
    """The (H, W) light, about 0.3 to 1.3, on a rounded body of this silhouette."""
    shape = cover.shape
    inside = np.pad((cover > 0.5).astype(np.uint8), 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    top = min(max(float(depth.max()), 2.0), min(shape) * rng.uniform(0.06, 0.3))
    round_ = np.sqrt(np.maximum(1 - (1 - np.minimum(depth / top, 1)) ** 2, 0)) * top
    height = blur(round_, max(1.0, top / 7))
    bumps = rng.choice([0.0, 0.0, 0.01, 0.02]) if bumps is None else bumps
    height = height + spectral(rng, shape, 2.2, 4) * np.float32(min(shape) * bumps)
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    turn, rise = rng.uniform(-np.pi, 0), rng.uniform(0.35, 1.2)  # mostly from above
    light = np.array([np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)])
    facing = (-slope_x * light[0] - slope_y * light[1] + light[2]) / length
    ambient = rng.uniform(0.25, 0.6)
    shadow = 1 - rng.uniform(0, 0.3) * (spectral(rng, shape, 2.2) > rng.uniform(0.3, 2))
    soft = blur(shadow.astype(np.float32), min(shape) * rng.uniform(0.004, 0.02))
    shade = ambient + (1.15 - ambient) * np.maximum(facing, 0) * soft
    return (shade + rng.choice([0, 0.35]) * np.maximum(facing, 0) ** 40).astype(np.float32)


def body(
    rng: Rng,
    polygons: list[np.ndarray],
    shape: Shape,
    colours: np.ndarray | None = None,
    kind: str | None = None,
    hole: np.ndarray | None = None,
    bumps: float | None = None,
) -> np.ndarray:
    """An opaque textured layer with these outlines, lit, with an optional (H, W) hole cut out."""
    cover = coverage(polygons, shape)
    if hole is not None:
        cover = cover * (1 - hole)
    return layer(texture(rng, shape, colours, kind) * lit(rng, cover, bumps)[..., None], cover)


def person(rng: Rng, shape: Shape, head: np.ndarray, radius: float) -> np.ndarray:
    """A layer: face, neck and clothed shoulders that leave the frame at the bottom."""
    skin = SKIN[rng.integers(len(SKIN))] * rng.uniform(0.85, 1.1)
    skin = np.stack([skin, skin * rng.uniform(0.85, 0.95)])
    neck = head + np.array([0, radius * 2.0])
    chin = neck + np.array([0, radius * 0.3])
    far = np.array([head[0], shape[0] + radius * 2])
    wide = radius * rng.uniform(1.7, 2.3)
    shoulders = capsule(neck + np.array([0, radius * 0.9]), far, wide, wide * 1.1)
    clothes = body(rng, [shoulders, capsule(chin, far, wide * 0.55, wide)], shape)
    throat = [capsule(head, chin, radius * 0.5, radius * 0.5)]
    throat = body(rng, throat, shape, skin * 0.85, "plain", bumps=0)
    face = [blob(rng, head, (radius, radius * 1.18), 0.02)]
    face = body(rng, face, shape, skin, "plain", bumps=0.002)
    return stack(*features(rng, shape, head, radius), face, clothes, throat)


def features(rng: Rng, shape: Shape, head: np.ndarray, radius: float) -> list[np.ndarray]:
    """Layers of soft dark spots: eyes and a mouth or snout, enough to make a face of it."""
    spots = []
    for side in (-1, 1):
        eye = head + radius * np.array([side * 0.38, -0.1])
        half = radius * np.array([0.07, 0])
        spots.append((capsule(eye - half, eye + half, radius * 0.09, radius * 0.09), 0.08))
        glint = eye - half[::-1] * 0.5
        spots.append((capsule(glint, glint + half * 0.1, radius * 0.03, radius * 0.03), 0.85))
    mouth = head + radius * np.array([0, 0.55])
    wide = [radius * rng.uniform(0.1, 0.3), 0]
    spots.append((capsule(mouth - wide, mouth + wide, radius * 0.06, radius * 0.06), 0.25))
    tint = np.array([1.0, 0.75, 0.7])
    layers = (layer(tint * tone, coverage([outline], shape)) for outline, tone in spots)
    return [blur(one, radius * 0.02) for one in layers][::-1]
