"""Solid objects: sharp with holes, blurred by motion, or out of focus."""

import cv2
import numpy as np

from utils.render.bodies import blob, body, capsule, creature, polygon, thing
from utils.render.layers import blur, coverage, finish, stack
from utils.render.noise import Rng, Shape, direction, grid, log_uniform


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
