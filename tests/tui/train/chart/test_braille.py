"""The chart's arithmetic: dots, spans, ticks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.tui.train.chart.braille import (
    Raster,
    Scale,
    character,
    draw_level,
    draw_path,
    draw_spans,
    log_ticks,
    number,
    path,
    spans,
    ticks,
)

FINITE = st.floats(-1e6, 1e6)


def row_text(raster: Raster, row: int) -> str:
    """Return one row of cells as characters."""
    return "".join(character(raster.mask(row, column)) for column in range(raster.columns))


def test_a_cell_holds_two_by_four_dots() -> None:
    raster = Raster(1, 1)
    for x in range(2):
        for y in range(4):
            raster.dot(x, y)
    assert row_text(raster, 0) == "⣿"


def test_an_empty_cell_is_a_space() -> None:
    assert row_text(Raster(3, 1), 0) == "   "
    assert character(0) == " "


def test_dots_outside_the_raster_are_ignored() -> None:
    raster = Raster(1, 1)
    for x, y in ((-1, 0), (0, -1), (2, 0), (0, 4)):
        raster.dot(x, y)
    assert row_text(raster, 0) == " "


def test_a_scale_puts_its_ends_on_the_first_and_last_dot() -> None:
    for log in (False, True):
        scale = Scale(1.0, 4.0, 40, log)
        assert (scale.dot(1.0), scale.dot(4.0)) == (0, 39)
        assert (scale.dot_from_top(4.0), scale.dot_from_top(1.0)) == (0, 39)


def test_on_a_log_scale_equal_ratios_are_equally_long() -> None:
    scale = Scale(1.0, 4.0, 41, log=True)
    assert scale.dot(2.0) == 20


@given(low=FINITE, high=FINITE, value=FINITE, log=st.booleans())
def test_every_value_has_a_dot_on_the_raster(low: float, high: float, value: float, log: bool) -> None:
    assert 0 <= Scale(low, high, 10, log).dot(value) <= 9


@given(fraction=st.floats(0, 1), log=st.booleans())
def test_value_is_the_inverse_of_dot(fraction: float, log: bool) -> None:
    scale = Scale(0.5, 8.0, 1_001, log)
    assert scale.dot(scale.value(fraction)) == pytest.approx(fraction * 1_000, abs=0.5001)


def test_a_spike_of_one_step_among_thousands_stays_visible() -> None:
    """Each column is drawn from its smallest to its largest value."""
    x, y = Scale(0, 10_000, 20), Scale(0, 4, 16)
    losses = [1.0] * 10_000
    losses[5_000] = 4.0
    columns = spans(range(10_000), losses, losses, x, y)
    assert len(columns) == 20
    assert [span for span in columns.values() if span[0] == 0] == [(0, y.dot_from_top(1.0))]


def test_spans_are_drawn_without_gaps() -> None:
    raster = Raster(1, 2)
    draw_spans(raster, {0: (0, 7)})
    assert [row_text(raster, 0), row_text(raster, 1)] == ["⡇", "⡇"]


def test_a_path_keeps_the_last_value_of_each_column() -> None:
    assert path([0, 1, 100], [1.0, 2.0, 0.0], Scale(0, 100, 10), Scale(0, 2, 3)) == [(0, 0), (9, 2)]


def test_a_drawn_path_is_connected() -> None:
    raster = Raster(2, 2)
    draw_path(raster, [(0, 0), (3, 7)])
    assert sum(mask.bit_count() for mask in raster.cells.values()) == 8


def test_a_path_of_one_point_is_a_dot() -> None:
    raster = Raster(1, 1)
    draw_path(raster, [(1, 3)])
    assert row_text(raster, 0) == character(0x80)


def test_a_level_is_dotted() -> None:
    raster = Raster(4, 1)
    draw_level(raster, 0)
    assert row_text(raster, 0) == "⠁ ⠁ "


@given(low=FINITE, width=st.floats(1e-3, 1e6), most=st.integers(1, 20))
def test_ticks_are_between_the_ends_and_not_too_many(low: float, width: float, most: int) -> None:
    found = ticks(low, low + width, most)
    assert len(found) <= most
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in found)


def test_ticks_are_round_numbers() -> None:
    assert ticks(1.3, 4.4, 7) == [1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    assert ticks(0, 5_000, 5) == [0, 2_000, 4_000]


@given(low=st.floats(1e-6, 1e3), factor=st.floats(1.01, 1e6), most=st.integers(1, 12))
def test_log_ticks_are_between_the_ends_and_not_too_many(low: float, factor: float, most: int) -> None:
    found = log_ticks(low, low * factor, most)
    assert len(found) <= most
    assert all(low * (1 - 1e-9) <= tick <= low * factor * (1 + 1e-9) for tick in found)


def test_an_empty_range_has_no_ticks() -> None:
    assert ticks(2.0, 2.0, 5) == [] == log_ticks(2.0, 2.0, 5)
    assert ticks(math.nan, 2.0, 5) == []


def test_numbers_are_short() -> None:
    assert [number(value) for value in (0.0005, 0.5, 2.0, 250, 5_000, 12_000, 1_500_000)] == [
        "5e-4",
        "0.5",
        "2",
        "250",
        "5000",
        "12k",
        "1.5M",
    ]
