"""Opaque bodies, lit and textured: silhouettes, people, solid things sharp, moving or defocused."""

import cv2
import numpy as np

from utils.render.layers import blur, coverage, finish, layer, stack
from utils.render.noise import Rng, Shape, direction, grid, log_uniform, rgb, spectral, texture

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


def solid(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A hard-edged object, with holes: a ring, a wheel, a lattice, handles or plain cut-outs."""
    unit = min(shape)
    centre = np.array(shape[::-1]) * rng.uniform(0.45, 0.55, 2)
    reach = unit * rng.uniform(0.28, 0.42)
    kind = rng.choice(["cutouts", "wheel", "lattice", "mug"])
    if kind == "cutouts":
        outlines, holes = thing(rng, shape, 1.1), []
        for _ in range(rng.integers(1, 9)):
            place = centre + rng.normal(0, 0.4, 2) * reach
            holes.append(blob(rng, place, (reach * rng.uniform(0.05, 0.25),) * 2, 0.2))
        image = body(rng, outlines, shape, hole=coverage(holes, shape))
    elif kind == "wheel":
        image = _wheel(rng, shape, centre, reach)
        image = stack(image, body(rng, thing(rng, shape, 0.6), shape))
    elif kind == "lattice":
        thick = unit * rng.uniform(0.006, 0.025)
        bars = []
        for place in np.linspace(-1, 1, int(rng.integers(4, 11))) * reach:
            for flip in (1, -1):
                ends = np.array([[place, -reach], [place + rng.normal(0, 0.03) * reach, reach]])
                bars.append(capsule(*(ends[:, ::flip] + centre), thick, thick))
        image = stack(body(rng, bars, shape), body(rng, thing(rng, shape, 0.85), shape))
    else:
        wide, high = reach * rng.uniform(0.5, 0.8), reach * rng.uniform(0.7, 1.0)
        corners = np.array([[-1, -1], [1, -1], [rng.uniform(0.6, 1), 1], [-rng.uniform(0.6, 1), 1]])
        handle = centre + np.array([wide, 0])
        size = high * rng.uniform(0.4, 0.6)
        hole = coverage([blob(rng, handle, (size * 0.7, size * 0.75), 0.03)], shape)
        ring = body(rng, [blob(rng, handle, (size, size), 0.03)], shape, hole=hole)
        image = stack(body(rng, [centre + corners * [wide, high]], shape), ring)
    return finish(rng, image, (0.3, 1.6))


def _wheel(rng: Rng, shape: Shape, centre: np.ndarray, reach: float) -> np.ndarray:
    rim = reach * rng.uniform(0.72, 0.9)
    hole = coverage([blob(rng, centre, (rim, rim), 0)], shape)
    ring = body(rng, [blob(rng, centre, (reach, reach), 0)], shape, hole=hole)
    thick = min(shape) * rng.uniform(0.002, 0.012)
    angles = np.linspace(0, 2 * np.pi, int(rng.integers(5, 28)), endpoint=False)
    spokes = [capsule(centre, centre + reach * 0.95 * direction(a), thick, thick) for a in angles]
    hub = body(rng, [blob(rng, centre, (reach * 0.2, reach * 0.2), 0)], shape)
    return stack(hub, body(rng, spokes, shape, kind="plain"), ring)


def motion(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A moving thing: the whole of it, or limbs that swing about a body at rest."""
    image = _object(rng, shape)
    if rng.random() < 0.5:
        return finish(rng, _move(rng, image), (0.2, 0.7))
    centre = np.array(shape[::-1]) * rng.uniform(0.4, 0.6, 2)
    reach = min(shape) * rng.uniform(0.3, 0.45)
    limbs = []
    for _ in range(rng.integers(2, 5)):
        end = centre + reach * direction(rng.uniform(0, 6.3))
        arm = capsule(centre, end, reach * 0.15, reach * rng.uniform(0.05, 0.12))
        hand = blob(rng, end, (reach * rng.uniform(0.1, 0.25),) * 2, 0.2)
        limbs.append(_move(rng, body(rng, [arm, hand], shape), centre))
    return finish(rng, stack(*limbs, image), (0.2, 0.7))


def defocus(rng: Rng, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A thing out of focus, by the disc of a lens that may grow across the frame."""
    image = _object(rng, shape)
    unit = min(shape)
    radius = unit * log_uniform(rng, 0.004, 0.022)
    far = _disc(image, radius * rng.uniform(1.3, 2.2))
    image = _disc(image, radius * rng.uniform(0.2, 1.0))
    if rng.random() < 0.5:
        x, y = grid(shape)
        way = rng.uniform(0, 6.3)
        share = 0.5 + ((x - shape[1] / 2) * np.cos(way) + (y - shape[0] / 2) * np.sin(way)) / unit
        share = np.clip(share, 0, 1).astype(np.float32)[..., None]
        image = image * (1 - share) + far * share
    return finish(rng, image, (0.2, 0.5))


def _object(rng: Rng, shape: Shape) -> np.ndarray:
    """A body with something thin or angular in front of it."""
    unit = min(shape)
    outlines = creature(rng, shape)[0] if rng.random() < 0.4 else thing(rng, shape)
    centre = np.array(shape[::-1]) / 2 + rng.normal(0, 0.12, 2) * unit
    small = [polygon(rng, centre, unit * rng.uniform(0.1, 0.2), int(rng.integers(3, 8)))]
    thin = []
    for _ in range(rng.integers(0, 5)):
        end = centre + rng.normal(0, 0.3, 2) * unit
        thin.append(capsule(centre, end, *(unit * rng.uniform(0.002, 0.012, 2))))
    front = [body(rng, small, shape)] if rng.random() < 0.5 else []
    front += [body(rng, thin, shape, kind="plain")] if thin else []
    return stack(*front, body(rng, outlines, shape))


def _move(rng: Rng, image: np.ndarray, pivot: np.ndarray | None = None) -> np.ndarray:
    """The mean of a layer over an exposure: a shift, a turn and a change of size."""
    unit = min(image.shape[:2])
    size = image.shape[1::-1]
    way, length = rng.uniform(0, 6.3), unit * rng.uniform(0.015, 0.09)
    if pivot is None:
        turn, pivot = rng.normal(0, 4), np.array(size) * rng.uniform(0.3, 0.7, 2)
    else:
        turn, length = rng.uniform(4, 16), length * 0.1
    grow = rng.normal(0, 0.02)
    longest = length + np.radians(abs(turn)) * unit * 0.5
    count = int(np.clip(longest / 1.5, 8, 48))
    total = np.zeros_like(image)
    for moment in np.linspace(-0.5, 0.5, count):
        matrix = cv2.getRotationMatrix2D(pivot.tolist(), turn * moment, 1 + grow * moment)
        matrix[:, 2] += moment * length * direction(way)
        total += cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    return blur(total / count, longest / count / 2.5)


def _disc(image: np.ndarray, radius: float) -> np.ndarray:
    size = int(np.ceil(radius)) * 2 + 1
    x, y = grid((size, size))
    kernel = np.clip(radius + 0.5 - np.hypot(x - size // 2, y - size // 2), 0, 1)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
