"""The plot of a table: round ticks around all values, a dot and a spread where they belong."""

import numpy as np
import pytest

from utils.images.reading import read_image
from utils.tables.plot import (
    COLOURS,
    HIGH,
    LEFT,
    LINE,
    SIZE,
    TOP,
    WIDE,
    Point,
    numbers_beside,
    ticks,
    write_dots,
    write_plot,
)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0, 24.51], [0, 5, 10, 15, 20, 25]),
        ([7.2, 7.9], [7.2, 7.4, 7.6, 7.8, 8.0]),
        ([3.0], [3, 4]),
        ([0.0], [0, 0.2]),
    ],
)
def test_ticks_are_round_and_hold_every_value(values, wanted):
    found = ticks(values)
    assert found[0] <= min(values) and found[-1] >= max(values)
    assert found == pytest.approx(wanted)


def test_a_point_and_its_spread_are_drawn_where_they_belong(tmp_path):
    points = [Point("a", "x", 0.0, 10.0, 0.0), Point("b", "y", 10.0, 15.0, 5.0)]
    write_plot(tmp_path / "p.png", points, "MACs", "SAD")
    picture = read_image(tmp_path / "p.png")
    # Ticks go from 0 to 10 and from 10 to 20.
    assert tuple(picture[TOP + HIGH, LEFT]) == COLOURS[0]
    assert tuple(picture[TOP + HIGH // 2, LEFT + WIDE]) == COLOURS[1]
    bar = (picture[:, LEFT + WIDE] == COLOURS[1]).all(1)
    assert np.flatnonzero(bar)[[0, -1]] == pytest.approx([TOP, TOP + HIGH], abs=1)


def test_the_plot_of_many_points_is_taller_and_its_bars_go_through_their_dots(tmp_path):
    points = [Point(f"{i}", "x", 10.0, 10.0 + i, 0.5) for i in range(31)]
    write_plot(tmp_path / "p.png", points, "MACs", "SAD")
    picture = read_image(tmp_path / "p.png")
    coloured = np.flatnonzero((picture[:, LEFT + WIDE] == COLOURS[0]).all(1))
    # Ticks go from 0 to 50.
    ends = [TOP + (1 - error / 50) * 31 * LINE for error in (40.5, 9.5)]
    assert coloured[[0, -1]] == pytest.approx(ends, abs=1.5)


def test_what_is_published_is_hollow(tmp_path):
    write_plot(tmp_path / "p.png", [Point("a", "x", 0.0, 10.0, 0.0, hollow=True)], "M", "S")
    picture = read_image(tmp_path / "p.png")
    assert tuple(picture[TOP + HIGH, LEFT]) == (255, 255, 255)


def test_numbers_of_dots_on_each_other_stand_below_each_other_in_their_order():
    found = numbers_beside([(100.0, y) for y in (50.0, 48.0, 52.0, 50.0, 200.0)])
    assert [y for _, y in found] == [48 + SIZE, 48, 48 + 3 * SIZE, 48 + 2 * SIZE, 200]
    assert numbers_beside([(0.0, 50.0), (400.0, 50.0)]) == [(9, 50), (409, 50)]


def test_row_by_row_each_point_has_a_line_of_its_own(tmp_path):
    points = [Point("a", "x", 10.0, 10.0, 0.0), Point("b", "y", 10.0, 15.0, 5.0)]
    write_dots(tmp_path / "p.png", points, "SAD")
    picture = read_image(tmp_path / "p.png")
    left = picture.shape[1] - WIDE - 40
    first, second = (picture[int(TOP + LINE * (row + 0.5))] for row in (0, 1))
    assert tuple(first[left]) == COLOURS[0]  # ticks go from 10 to 20
    assert tuple(second[left + WIDE // 2]) == COLOURS[1]
    bar = np.flatnonzero((second == COLOURS[1]).all(1))
    assert bar[[0, -1]] == pytest.approx([left, left + WIDE], abs=1)
