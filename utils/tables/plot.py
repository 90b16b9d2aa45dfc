"""The plot of a table: error against cost, a point for each row, its spread as a bar."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from utils.figures.figure import save_figure

INK, GRID = (0, 0, 0), (225, 225, 225)
COLOURS = (
    *((60, 110, 170), (214, 96, 77), (77, 146, 33), (128, 90, 170), (200, 140, 20)),
    *((20, 150, 150), (190, 80, 150), (110, 110, 110), (120, 80, 40)),
)
SIZE, DOT = 15, 6  # pixels
WIDE, HIGH, LEFT, TOP, BELOW = 560, 420, 80, 40, 60
LINE = 22


class Point(NamedTuple):
    """A row: its cost, its error and the spread of that; points of a `group` share a colour."""

    name: str
    group: str
    cost: float
    error: float
    spread: float
    hollow: bool = False


def write_plot(path: Path, points: Sequence[Point], cost: str, error: str) -> None:
    """Write the points with numbers, which the list beside them explains, as PNG or PDF."""
    letters = ImageFont.load_default(SIZE)
    names = [f"{index} {point.name}" for index, point in enumerate(points, 1)]
    beside = LEFT + WIDE + 30
    width = beside + 30 + math.ceil(max(letters.getlength(name) for name in names))
    height = max(TOP + HIGH + BELOW, TOP + LINE * (len(points) + 1))
    picture = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(picture)
    across = ticks([0.0, *(point.cost for point in points)])
    ends = [point.error + way * point.spread for point in points for way in (-1, 1)]
    upwards = ticks(ends)

    def place(x: float, y: float) -> tuple[float, float]:
        right = (x - across[0]) / (across[-1] - across[0])
        up = (y - upwards[0]) / (upwards[-1] - upwards[0])
        return LEFT + right * WIDE, TOP + (1 - up) * HIGH

    for x in across:
        pen.line([place(x, upwards[0]), place(x, upwards[-1])], GRID)
        pen.text((place(x, 0)[0], TOP + HIGH + 14), f"{x:g}", INK, letters, anchor="mm")
    for y in upwards:
        pen.line([place(across[0], y), place(across[-1], y)], GRID)
        pen.text((LEFT - 10, place(0, y)[1]), f"{y:g}", INK, letters, anchor="rm")
    pen.text((LEFT + WIDE / 2, TOP + HIGH + 40), cost, INK, letters, anchor="mm")
    pen.text((LEFT, TOP - 20), error, INK, letters, anchor="lm")
    groups = list(dict.fromkeys(point.group for point in points))
    for index, (point, name) in enumerate(zip(points, names, strict=True)):
        colour = COLOURS[groups.index(point.group) % len(COLOURS)]
        x, y = place(point.cost, point.error)
        if point.spread:
            low, high = (place(0, point.error + way * point.spread)[1] for way in (-1, 1))
            pen.line([(x, low), (x, high)], colour, 2)
        _dot(pen, (x, y), colour, point.hollow)
        pen.text((x + DOT + 3, y - DOT), str(index + 1), INK, letters, anchor="lm")
        listed = beside, TOP + LINE * index
        _dot(pen, listed, colour, point.hollow)
        pen.text((listed[0] + 16, listed[1]), name, INK, letters, anchor="lm")
    save_figure(path, picture, inches=picture.width / 150)


def ticks(values: Sequence[float], about: int = 5) -> list[float]:
    """Round numbers, evenly spaced, from under the smallest value to above the largest."""
    low, high = min(values), max(values)
    raw = ((high - low) or abs(high) or 1.0) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(index * step, 12) for index in range(first, max(last, first + 1) + 1)]


def _dot(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], colour: tuple[int, int, int], hollow: bool
) -> None:
    x, y = at
    inside = (255, 255, 255) if hollow else colour
    pen.ellipse([(x - DOT, y - DOT), (x + DOT, y + DOT)], inside, colour, 2)
