"""Backgrounds with the statistics of photographs: edges at all scales, 1/f spectra, defocus."""

import cv2
import numpy as np

from utils.render.layers import SHIFT, blur, fixed, quantise
from utils.render.noise import Rng, Shape, direction, grid, palette, smoothstep, spectral, texture


def background(rng: Rng, shape: Shape) -> np.ndarray:
    """An (H, W, 3) uint8 scene of a random kind of `SCENES`, as a camera would take it."""
    kind = str(rng.choice(list(SCENES), p=WEIGHTS))
    return photograph(rng, SCENES[kind](rng, shape))


def photograph(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Focus, exposure, contrast, vignette and sensor noise; (H, W, 3) uint8."""
    shape = image.shape[:2]
    x, y = grid(shape)
    focus = rng.choice([0.5, 0.9, 2.5, 6.0], p=[0.55, 0.3, 0.1, 0.05]) * max(shape) / 800
    image = blur(image, focus)
    light = 1 + 0.12 * spectral(rng, shape, 2.4)  # clouds, lamps and shade
    away = np.hypot(x / shape[1] - 0.5, y / shape[0] - 0.5)
    light = light * (1 - rng.uniform(0, 0.6) * away**2)
    image = np.clip(image * light[..., None], 0, None)
    middle = image.mean()
    image = middle + (image - middle) * rng.uniform(0.7, 1.25)
    image = np.clip(image, 0, 1) ** np.exp(rng.normal(0.05, 0.25))
    noise = rng.standard_normal((*shape, 3), dtype=np.float32) * rng.uniform(0, 0.02)
    return quantise(image + noise)


def _dead_leaves(rng: Rng, shape: Shape) -> np.ndarray:
    """Shapes that hide each other, radii by a power law: the edge statistics of the world."""
    count = int(5000 * np.clip(shape[0] * shape[1] / 300_000, 0.1, 1.0))
    small, large = 3.0, max(shape) * rng.uniform(0.2, 0.5)
    # Density r^-3 between the bounds, by inverting its distribution.
    share = rng.random(count)
    radius = (small**-2 + share * (large**-2 - small**-2)) ** -0.5
    colours = palette(rng, 24)
    tones = colours[rng.integers(0, 24, count)] * rng.uniform(0.75, 1.2, (count, 1))
    labels = np.zeros((shape[0] * 2, shape[1] * 2), np.int32)
    centres = rng.random((count, 2)) * shape[::-1]
    corners = int(rng.choice([0, 4, 5, 40]))
    for index in range(count):
        edges = corners or int(rng.integers(3, 9))
        angle = rng.uniform(0, 6.3) + np.arange(edges) * 2 * np.pi / edges
        reach = radius[index] * (rng.uniform(0.6, 1.2, edges) if edges < 40 else 1)
        points = direction(angle) * [1, rng.uniform(0.4, 1)]
        _fill(labels, centres[index] + points * np.reshape(reach, (-1, 1)), index)
    flat = cv2.resize(tones.astype(np.float32)[labels], shape[::-1], interpolation=cv2.INTER_AREA)
    gains = rng.normal(0, 0.12, count).astype(np.float32)[labels[::2, ::2]]
    detail = spectral(rng, shape, 1.0, 6)
    image = flat * (1 + (gains + 0.05) * detail)[..., None]
    shades = rng.normal(0, 0.15, count).astype(np.float32)[labels[::2, ::2]]
    return image * (1 + shades * spectral(rng, shape, 2.2))[..., None]


def _landscape(rng: Rng, shape: Shape) -> np.ndarray:
    """Sky with clouds, ridges that fade with distance, textured ground, at times trees."""
    height, width = shape
    x, y = grid(shape)
    horizon = rng.uniform(0.3, 0.65)
    zenith = np.array([0.35, 0.5, 0.72]) * rng.uniform(0.6, 1.2)
    haze = np.array([0.85, 0.86, 0.85]) * rng.uniform(0.75, 1.1)
    if rng.random() < 0.25:  # dusk
        zenith, haze = np.array([0.25, 0.25, 0.4]), np.array([0.9, 0.62, 0.42])
    fall = np.clip(y / height / horizon, 0, 1)[..., None]
    image = zenith * (1 - fall) + haze * fall
    clouds = smoothstep(0, 2, spectral(rng, shape, 1.5, 2, (1.8, 1.0)) + rng.uniform(-1, 0.6))
    image = image + (0.93 - image) * clouds[..., None]
    ridges = int(rng.integers(1, 5))
    for step in range(ridges):
        near = (step + 1) / ridges
        line = spectral(rng, (4, width), rng.uniform(0.9, 1.8), 2)[0] * 0.05
        top = (horizon - 0.1 + 0.16 * near + line) * height
        cover = np.clip(y - top[None] + 0.5, 0, 1)[..., None]
        land = texture(rng, shape, palette(rng, 4) * 0.8, "clouds") * near + haze * (1 - near) * 0.8
        image = image * (1 - cover) + land * cover
    deep = np.clip((y / height - horizon - 0.06) / (1 - horizon), 1e-3, 1)
    ground = texture(rng, shape, None, str(rng.choice(["clouds", "spots", "patches"])))
    cover = smoothstep(0, 0.05, deep - 0.02)
    # Perspective: the same ground, seen at a grazing angle, is squeezed towards the horizon.
    columns = width / 2 + (x - width / 2) / (deep + 0.3)
    rows = 1 / (deep + 0.25) * 0.25 * height
    places = columns.astype(np.float32), rows.astype(np.float32)
    ground = cv2.remap(ground, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    grain = 1 + rng.uniform(0.05, 0.2) * spectral(rng, shape, 0.9, 10, (2.0, 1.0))
    return image * (1 - cover[..., None]) + ground * (grain * cover)[..., None]


def _facade(rng: Rng, shape: Shape) -> np.ndarray:
    """Walls, windows, shelves or tiles: rectangles in rows, seen at an angle."""
    height, width = shape
    image = texture(rng, shape, kind=str(rng.choice(["plain", "clouds", "wood"])))
    step_x, step_y = width * rng.uniform(0.05, 0.25), height * rng.uniform(0.06, 0.3)
    fill_x, fill_y = rng.uniform(0.4, 0.95, 2)
    colours = palette(rng, 6)
    one = rng.random() < 0.5  # windows are alike, books are not
    shade = 1 + 0.12 * spectral(rng, shape, 1.4)
    for top in np.arange(0, height, step_y):
        for left in np.arange(0, width, step_x):
            if rng.random() < 0.08:
                continue
            tone = colours[0 if one else rng.integers(6)] * rng.uniform(0.7, 1.2)
            x0, y0 = int(left + step_x * (1 - fill_x)), int(top + step_y * (1 - fill_y))
            part = np.s_[y0 : int(top + step_y), x0 : int(left + step_x)]
            image[part] = tone * shade[part][..., None]
            if rng.random() < 0.5:  # a shadow below the upper edge, a bar across
                image[y0 : y0 + int(step_y * 0.06) + 1, x0 : int(left + step_x)] *= 0.5
                bar = (x0 + int(left + step_x)) // 2
                image[y0 : int(top + step_y), bar : bar + int(step_x * 0.05) + 1] *= 1.4
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-0.25, 0.25, (4, 2)) * [width, height]
    inner = (corners - corners.mean(0)) * 0.75 + corners.mean(0) + (moved - corners) * 0.4
    matrix = cv2.getPerspectiveTransform(inner.astype(np.float32), corners)
    size = width, height
    image = cv2.warpPerspective(image, matrix, size, borderMode=cv2.BORDER_REFLECT)
    return image * (1 + 0.08 * spectral(rng, shape, 1.1))[..., None]


def _bokeh(rng: Rng, shape: Shape) -> np.ndarray:
    """A far scene out of focus, with the discs of its lights."""
    image = blur(_dead_leaves(rng, shape), max(shape) * rng.uniform(0.012, 0.03))
    unit = max(shape)
    lights = np.zeros((*shape, 3), np.uint8)
    radius = unit * rng.uniform(0.008, 0.04)
    for colour in palette(rng, int(rng.integers(10, 90))):
        place = (rng.random(2) * shape[::-1] * (1 << SHIFT)).astype(int).tolist()
        spot = np.zeros_like(lights) if radius > unit * 0.03 else lights
        size = int(radius * rng.uniform(0.7, 1.2) * (1 << SHIFT))
        ink = (colour * rng.uniform(60, 250)).tolist()
        cv2.circle(spot, place, size, ink, -1, cv2.LINE_AA, SHIFT)
        lights = np.maximum(lights, spot)
    glow = blur(lights.astype(np.float32) / 255, unit * 0.0015)
    fine = 1 + 0.03 * spectral(rng, shape, 1.2)
    return np.maximum(image * rng.uniform(0.4, 1), glow) * fine[..., None]


def _room(rng: Rng, shape: Shape) -> np.ndarray:
    """A wall, a floor or table before it, and things standing there."""
    height, width = shape
    _, y = grid(shape)
    line = height * rng.uniform(0.5, 0.8)
    below = np.clip(y - line + 0.5, 0, 1)[..., None]
    image = texture(rng, shape) * (1 - below) + texture(rng, shape) * below
    things = []
    for _ in range(rng.integers(3, 14)):
        wide, high = width * rng.uniform(0.04, 0.3), height * rng.uniform(0.08, 0.6)
        left, foot = rng.uniform(-0.1, 1) * width, line + rng.uniform(-0.02, 0.25) * height
        things.append((foot, left, wide, high))
    for foot, left, wide, high in sorted(things):
        upper = [[left, foot - high], [left + wide, foot - high]]
        lower = [[left + wide * rng.uniform(0.8, 1.2), foot], [left, foot]]
        painted = np.zeros(shape, np.uint8)
        _fill(painted, np.array([*upper, *lower]), 255, 1)
        cover = blur(painted.astype(np.float32) / 255, 0.7)
        shadow = np.roll(cover, (int(height * 0.02), int(width * 0.03)), (0, 1))
        image = image * (1 - 0.5 * blur(shadow, max(shape) * 0.012)[..., None])
        image = image * (1 - cover[..., None]) + texture(rng, shape) * cover[..., None]
    return image


def _material(rng: Rng, shape: Shape) -> np.ndarray:
    """A close look at one surface with the spectrum of natural scenes."""
    image = texture(rng, shape)
    strength = rng.uniform(0.1, 0.4)
    return image * np.exp(strength * spectral(rng, shape, rng.uniform(0.9, 1.3)))[..., None]


def _fill(image: np.ndarray, outline: np.ndarray, value: int, scale: int = 2) -> None:
    cv2.fillPoly(image, [fixed(outline, scale)], value, cv2.LINE_8, SHIFT)


SCENES = {
    "dead_leaves": _dead_leaves,
    "landscape": _landscape,
    "facade": _facade,
    "bokeh": _bokeh,
    "room": _room,
    "material": _material,
}
WEIGHTS = [0.3, 0.2, 0.13, 0.1, 0.17, 0.1]
