"""Times, counts, sizes and rates for people."""

import math

import pytest

from tui_gpt.events import SettingValue
from tui_gpt.formatting import (
    bar,
    format_age,
    format_bytes,
    format_count,
    format_duration,
    format_loss,
    format_rate,
    format_setting,
    text_name,
)


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
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (812, "812"), (999.6, "1.00 k"), (12_345, "12.3 k"), (99_960, "100 k"), (10_788_929, "10.8 M")],
)
def test_a_count_has_three_significant_digits(count: float, text: str) -> None:
    assert format_count(count) == text


def test_rates_and_sizes_have_units() -> None:
    assert format_rate(12_345) == "12.3 k chars/s"
    assert format_bytes(1_115_394) == "1.12 MB"
    assert format_bytes(12) == "12 B"


def test_an_age_has_its_largest_unit() -> None:
    assert [format_age(seconds) for seconds in (3, 61, 7_300, 180_000)] == [
        "just now",
        "1 min ago",
        "2 h ago",
        "2 d ago",
    ]


@pytest.mark.parametrize(
    ("fraction", "drawn"), [(0.0, "····"), (0.5, "██··"), (0.28, "█▏··"), (1.0, "████"), (2.0, "████"), (-1.0, "····")]
)
def test_a_bar_fills_in_eighths(fraction: float, drawn: str) -> None:
    assert bar(fraction, 4) == drawn
    assert bar(fraction, 4, empty=" ") == drawn.replace("·", " ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5e-4, "5e-4"),
        (0.00025, "2.5e-4"),
        (0.02, "0.02"),
        (60.0, "60"),
        (2_000, "2,000"),
        (True, "True"),
        (None, "None"),
    ],
)
def test_the_value_of_a_setting_is_short(value: SettingValue, text: str) -> None:
    assert format_setting(value) == text


def test_an_estimated_loss_is_marked() -> None:
    assert format_loss(1.45213, is_estimate=False) == "1.4521"
    assert format_loss(1.45213, is_estimate=True, digits=2) == "~1.45"
    assert format_loss(None, is_estimate=True) == "–"


def test_a_text_is_called_by_its_name_or_the_last_part_of_its_path() -> None:
    paths = ("tinyshakespeare", "/books/War & Peace.txt", "C:\\books\\faust.txt", "/books/", "/", "")
    assert [text_name(path) for path in paths] == [
        *("tinyshakespeare", "War & Peace.txt", "faust.txt", "books", "/", ""),
    ]
