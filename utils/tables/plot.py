"""The plots of a table: error against cost, or row by row, with the spread as a bar."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from utils.figures.figure import save_figure

INK, GREY, GRID = (0, 0, 0), (150, 150, 150), (225, 225, 225)
COLOURS = (
    *((60, 110, 170), (214, 96, 77), (77, 146, 33), (128, 90, 170), (200, 140, 20)),
    *((20, 150, 150), (190, 80, 150), (110, 110, 110), (120, 80, 40)),
)
SIZE, DOT = 15, 6  # pixels
WIDE, HIGH, LEFT, TOP, BELOW = 560, 420, 80, 40, 60
LINE = 22
WORD, MOVED = 22, 4  # of a number; how far from beside its dot a line leads to it


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
    tall = max(HIGH, min(2 * HIGH, LINE * len(points)))
    height = max(TOP + tall + BELOW, TOP + LINE * (len(points) + 1))
    picture = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(picture)
    across = ticks([0.0, *(point.cost for point in points)])
    ends = [point.error + way * point.spread for point in points for way in (-1, 1)]
    upwards = ticks(ends)

    def place(x: float, y: float) -> tuple[float, float]:
        right = (x - across[0]) / (across[-1] - across[0])
        up = (y - upwards[0]) / (upwards[-1] - upwards[0])
        return LEFT + right * WIDE, TOP + (1 - up) * tall

    for x in across:
        pen.line([place(x, upwards[0]), place(x, upwards[-1])], GRID)
        pen.text((place(x, 0)[0], TOP + tall + 14), f"{x:g}", INK, letters, anchor="mm")
    for y in upwards:
        pen.line([place(across[0], y), place(across[-1], y)], GRID)
        pen.text((LEFT - 10, place(0, y)[1]), f"{y:g}", INK, letters, anchor="rm")
    pen.text((LEFT + WIDE / 2, TOP + tall + 40), cost, INK, letters, anchor="mm")
    pen.text((LEFT, TOP - 20), error, INK, letters, anchor="lm")
    dots = [place(point.cost, point.error) for point in points]
    numbers = numbers_beside(dots)
    for dot, (x, y) in zip(dots, numbers, strict=True):
        if abs(y - dot[1]) > MOVED:
            pen.line([dot, (x - 3, y)], GREY)
    groups = list(dict.fromkeys(point.group for point in points))
    for index, (point, name) in enumerate(zip(points, names, strict=True)):
        colour = COLOURS[groups.index(point.group) % len(COLOURS)]
        x, y = dots[index]
        if point.spread:
            low, high = (place(0, point.error + way * point.spread)[1] for way in (-1, 1))
            pen.line([(x, low), (x, high)], colour, 2)
        _dot(pen, (x, y), colour, point.hollow)
        listed = beside, TOP + LINE * index
        _dot(pen, listed, colour, point.hollow)
        pen.text((listed[0] + 16, listed[1]), name, INK, letters, anchor="lm")
    for index, at in enumerate(numbers, 1):
        pen.text(at, str(index), INK, letters, anchor="lm")
    save_figure(path, picture, inches=picture.width / 150)


def write_dots(path: Path, points: Sequence[Point], error: str) -> None:
    """Write a line for each point, in their order, with its error and spread; as PNG or PDF.

    Where costs are equal, the points of `write_plot` lie on each other, and these do not.
    """
    letters = ImageFont.load_default(SIZE)
    left = 30 + math.ceil(max(letters.getlength(point.name) for point in points))
    high = LINE * len(points)
    picture = Image.new("RGB", (left + WIDE + 40, TOP + high + BELOW), "white")
    pen = ImageDraw.Draw(picture)
    across = ticks([point.error + way * point.spread for point in points for way in (-1, 1)])

    def place(x: float) -> float:
        return left + (x - across[0]) / (across[-1] - across[0]) * WIDE

    for x in across:
        pen.line([(place(x), TOP), (place(x), TOP + high)], GRID)
        pen.text((place(x), TOP + high + 14), f"{x:g}", INK, letters, anchor="mm")
    pen.text((left + WIDE / 2, TOP + high + 40), error, INK, letters, anchor="mm")
    groups = list(dict.fromkeys(point.group for point in points))
    for index, point in enumerate(points):
        y = TOP + LINE * (index + 0.5)
        colour = COLOURS[groups.index(point.group) % len(COLOURS)]
        pen.text((left - 14, y), point.name, INK, letters, anchor="rm")
        if point.spread:
            ends = [(place(point.error + way * point.spread), y) for way in (-1, 1)]
            pen.line(ends, colour, 2)
        _dot(pen, (place(point.error), y), colour, point.hollow)
    save_figure(path, picture, inches=picture.width / 150)


def ticks(values: Sequence[float], about: int = 5) -> list[float]:
    """Round numbers, evenly spaced, from under the smallest value to above the largest."""
    low, high = min(values), max(values)
    raw = ((high - low) or abs(high) or 1.0) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(index * step, 12) for index in range(first, max(last, first + 1) + 1)]


def numbers_beside(dots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where the number of each dot begins: right of it; above or below that, where dots are near.

    Numbers of one column keep the order of their dots and are as little moved as can be.
    """
    columns: list[list[int]] = []
    for index in sorted(range(len(dots)), key=lambda one: dots[one][0]):
        if columns and dots[index][0] - dots[columns[-1][0]][0] < WORD:
            columns[-1].append(index)
        else:
            columns.append([index])
    found = {}
    for column in columns:
        column.sort(key=lambda one: dots[one][1])
        blocks: list[list[float]] = []  # of numbers that touch: the place of the first, if they did
        for place, index in enumerate(column):
            blocks.append([dots[index][1] - place * SIZE])
            while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
                last = blocks.pop()
                blocks[-1] += last
        right = max(dots[index][0] for index in column)
        tops = [fmean(block) for block in blocks for _ in block]
        for place, (index, top) in enumerate(zip(column, tops, strict=True)):
            y = top + place * SIZE
            moved = abs(y - dots[index][1]) > MOVED
            found[index] = (right + WORD if moved else dots[index][0]) + DOT + 3, y
    return [found[index] for index in range(len(dots))]


def _dot(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], colour: tuple[int, int, int], hollow: bool
) -> None:
    x, y = at
    inside = (255, 255, 255) if hollow else colour
    pen.ellipse([(x - DOT, y - DOT), (x + DOT, y + DOT)], inside, colour, 2)
