"""A bounded curve that loses no spike."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.tui.train.series import Series

LOSSES = st.lists(st.floats(0.01, 10), min_size=1, max_size=300)


def filled(losses: list[float], limit: int = 2048) -> Series:
    series = Series(limit)
    for step, loss in enumerate(losses, start=1):
        series.add(step, loss)
    return series


@given(LOSSES)
def test_a_thinned_series_is_bounded_and_keeps_extremes_mean_and_last_step(losses: list[float]) -> None:
    series = filled(losses, limit=8)
    points = list(series)
    assert len(points) <= 8
    assert min(point.min for point in points) == min(losses)
    assert max(point.max for point in points) == max(losses)
    assert points[-1].step == len(losses)
    total = sum(point.mean * point.count for point in points)
    assert math.isclose(total, sum(losses), rel_tol=1e-9)


def test_values_that_are_not_finite_are_passed_over() -> None:
    assert len(filled([1.0, math.nan, math.inf, 2.0])) == 2


def test_cutting_forgets_what_came_later() -> None:
    series = filled([4.0, 3.0, 2.0, 1.0])
    series.cut(2)
    assert [point.step for point in series] == [1, 2]


def test_a_step_is_looked_up_in_the_point_that_covers_it() -> None:
    series = Series()
    assert series.at(3) is None
    series.add(10, 4.0)
    series.add(20, 3.0)
    assert [getattr(series.at(step), "step", None) for step in (1, 10, 11, 20, 99)] == [10, 10, 20, 20, 20]


def test_the_smoothed_line_starts_at_the_first_value() -> None:
    """The moving average is free of the start's bias."""
    assert filled([4.0, 4.0, 4.0]).smoothed(window=10) == [(1, 4.0), (2, 4.0), (3, 4.0)]


@given(LOSSES)
def test_the_smoothed_line_stays_between_the_extremes(losses: list[float]) -> None:
    line = filled(losses).smoothed(window=5)
    assert all(min(losses) - 1e-9 <= value <= max(losses) + 1e-9 for _, value in line)


def test_smoothing_lags_less_with_a_shorter_window() -> None:
    series = filled([4.0] * 50 + [1.0] * 10)
    assert series.smoothed(window=2)[-1][1] < series.smoothed(window=30)[-1][1]
