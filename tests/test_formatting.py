"""Times and counts as people read them."""

import math

import pytest

from tui_gpt.formatting import EtaEstimator, format_age, format_bytes, format_count, format_duration, format_rate


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (2.51, "2.5 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3_905, "1 h 05 min"),
        (180_000, "2 d 02 h"),
        (-3, "0 s"),
        (math.inf, "–"),
        (math.nan, "–"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (812, "812"), (999.6, "1.00 k"), (12_345, "12.3 k"), (99_960, "100 k"), (10_788_929, "10.8 M")],
)
def test_a_count_keeps_three_digits(count: float, text: str) -> None:
    assert format_count(count) == text


def test_rates_and_sizes_bear_their_units() -> None:
    assert format_rate(12_345) == "12.3 k chars/s"
    assert format_bytes(1_115_394) == "1.12 MB"
    assert format_bytes(12) == "12 B"


def test_an_age_is_told_in_its_largest_unit() -> None:
    assert [format_age(seconds) for seconds in (3, 61, 7_300, 180_000)] == [
        "just now",
        "1 min ago",
        "2 h ago",
        "2 d ago",
    ]


def test_the_time_left_is_unknown_until_the_pace_is_known() -> None:
    eta = EtaEstimator()
    assert eta.seconds_left(100) is None
    eta.mark(10, 1.0)
    assert eta.seconds_left(100) is None
    eta.mark(20, 2.0)
    assert eta.seconds_left(100) == pytest.approx(8.0)


def test_the_time_left_follows_the_recent_pace() -> None:
    eta = EtaEstimator(window_seconds=10.0)
    for second in range(10):
        eta.mark(100 * second, float(second))
    for second in range(10, 40):
        eta.mark(900 + second - 9, float(second))
    assert eta.steps_per_second == pytest.approx(1.0)


def test_a_resumed_run_starts_the_estimate_afresh() -> None:
    eta = EtaEstimator()
    eta.mark(500, 50.0)
    eta.mark(100, 10.0)
    assert eta.steps_per_second is None
    eta.mark(110, 11.0)
    assert eta.steps_per_second == pytest.approx(10.0)


def test_no_time_is_left_beyond_the_last_step() -> None:
    eta = EtaEstimator()
    eta.mark(10, 1.0)
    eta.mark(30, 2.0)
    assert eta.seconds_left(20) == 0.0
