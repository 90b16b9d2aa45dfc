"""The plots of a table: error against cost, or row by row, with the spread as a bar."""

import math
from collections.abc import Callable, Sequence
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
WORD = 22  # width of a number


class Point(NamedTuple):
    """A row: its cost, its error and the spread of that; points of a `group` share a colour."""

    name: str
    group: str
    cost: float
    error: float
    spread: float
    hollow: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """Of the bar of its spread."""
        return self.error - self.spread, self.error + self.spread


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
    upwards = ticks([end for point in points for end in point.ends])
    x_of, y_of = _scale(across, LEFT, WIDE), _scale(upwards, TOP + tall, -tall)
    for x in map(x_of, across):
        pen.line([(x, TOP), (x, TOP + tall)], GRID)
    for y in upwards:
        pen.line([(LEFT, y_of(y)), (LEFT + WIDE, y_of(y))], GRID)
        pen.text((LEFT - 10, y_of(y)), f"{y:g}", INK, letters, anchor="rm")
    _label_across(pen, across, x_of, TOP + tall, cost)
    pen.text((LEFT, TOP - 20), error, INK, letters, anchor="lm")
    dots = [(x_of(point.cost), y_of(point.error)) for point in points]
    for index, (point, (x, y), colour) in enumerate(
        zip(points, dots, _colours(points), strict=True)
    ):
        if point.spread:
            pen.line([(x, y_of(end)) for end in point.ends], colour, 2)
        _dot(pen, (x, y), colour, point.hollow)
        listed = beside, TOP + LINE * index
        _dot(pen, listed, colour, point.hollow)
        pen.text((listed[0] + 16, listed[1]), names[index], INK, letters, anchor="lm")
    for index, place in enumerate(numbers_beside(dots), 1):
        pen.text(place, str(index), INK, letters, anchor="lm")
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
    across = ticks([end for point in points for end in point.ends])
    x_of = _scale(across, left, WIDE)
    for x in map(x_of, across):
        pen.line([(x, TOP), (x, TOP + high)], GRID)
    _label_across(pen, across, x_of, TOP + high, error)
    for index, (point, colour) in enumerate(zip(points, _colours(points), strict=True)):
        y = TOP + LINE * (index + 0.5)
        pen.text((left - 14, y), point.name, INK, letters, anchor="rm")
        if point.spread:
            pen.line([(x_of(end), y) for end in point.ends], colour, 2)
        _dot(pen, (x_of(point.error), y), colour, point.hollow)
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
    """Where the number of each dot begins: right of it, or below the numbers that are near."""
    places: dict[int, tuple[float, float]] = {}
    for index in sorted(range(len(dots)), key=lambda one: dots[one][1]):
        x, y = dots[index][0] + DOT + 3, dots[index][1]
        above = [other for left, other in places.values() if abs(left - x) < WORD]
        places[index] = x, max([y, *(other + SIZE for other in above)])
    return [places[index] for index in range(len(dots))]


def _scale(marks: Sequence[float], start: float, length: float) -> Callable[[float], float]:
    """Where values lie on an axis from `start` that the marks divide."""
    return lambda value: start + (value - marks[0]) / (marks[-1] - marks[0]) * length


def _colours(points: Sequence[Point]) -> list[tuple[int, int, int]]:
    groups = list(dict.fromkeys(point.group for point in points))
    return [COLOURS[groups.index(point.group) % len(COLOURS)] for point in points]


def _label_across(
    pen: ImageDraw.ImageDraw,
    marks: Sequence[float],
    x_of: Callable[[float], float],
    y: float,
    title: str,
) -> None:
    letters = ImageFont.load_default(SIZE)
    for mark in marks:
        pen.text((x_of(mark), y + 14), f"{mark:g}", INK, letters, anchor="mm")
    middle = (x_of(marks[0]) + x_of(marks[-1])) / 2
    pen.text((middle, y + 40), title, INK, letters, anchor="mm")


def _dot(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], colour: tuple[int, int, int], hollow: bool
) -> None:
    x, y = at
    inside = (255, 255, 255) if hollow else colour
    pen.ellipse([(x - DOT, y - DOT), (x + DOT, y + DOT)], inside, colour, 2)
