"""The geometry of the operator's charts."""

import pytest

from bot.admin import charts
from bot.admin.server import ago, long, number
from tests.build import NOW


@pytest.mark.parametrize(
    ("value", "round_one"),
    [(0, 1), (1, 1), (1.2, 2), (2, 2), (3, 5), (7, 10), (11, 20), (99, 100), (101, 200)],
)
def test_an_axis_ends_at_a_round_number(value, round_one):
    assert charts.ceiling(value) == round_one


def test_parts_of_a_column_stand_upon_each_other_and_none_is_drawn_for_nothing():
    bars = charts.stacks([[2, 0, 1], [0, 0, 0]], kinds="abc", titles=["x", "y"], top=4)
    assert [(bar.kind, bar.y, bar.height) for bar in bars] == [("a", 50, 50), ("c", 25, 25)]
    assert all(bar.x >= 0 and bar.x + bar.width <= 50 for bar in bars)


def test_a_line_is_interrupted_where_nothing_is_known():
    line = charts.line([1, None, 2, 4], kind="k", top=4)
    assert line.strokes == "M12.5 75.0M62.5 50.0L87.5 0.0"
    assert line.dots.count("h0") == 3


def test_no_values_draw_nothing():
    assert charts.line([], kind="k", top=1).strokes == ""
    assert charts.stacks([], kinds="", titles=[], top=1) == ()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7500, "2 h 5 min"),
        (47 * 3600, "47 h 0 min"),
        (100 * 3600, "4 d"),
    ],
)
def test_times_are_said_as_people_say_them(seconds, words):
    assert long(seconds) == words


def test_the_future_is_now():
    assert ago(NOW, NOW) == "0 s ago"


def test_figures_are_written_without_needless_digits():
    assert (number(1234), number(0.25), number(3.0)) == ("1,234", "0.25", "3")
    assert number(1_234_567) == "1,234,567"
