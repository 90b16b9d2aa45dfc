"""The plot of a table: round ticks around all values, a dot and a spread where they belong."""

import numpy as np
import pytest

from utils.images.reading import read_image
from utils.tables.plot import COLOURS, HIGH, LEFT, TOP, WIDE, Point, ticks, write_plot


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


def test_what_is_published_is_hollow(tmp_path):
    write_plot(tmp_path / "p.png", [Point("a", "x", 0.0, 10.0, 0.0, hollow=True)], "M", "S")
    picture = read_image(tmp_path / "p.png")
    assert tuple(picture[TOP + HIGH, LEFT]) == (255, 255, 255)
