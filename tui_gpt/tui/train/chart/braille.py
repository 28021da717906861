"""Braille rasters: scales, ticks and lines of dots, as pure functions.

A character cell holds 2 x 4 dots, so a chart of 60 x 12 cells has 120 x 48 of them. A curve with more points than
columns is drawn as the range from the smallest to the largest value in each column: a spike of a single step stays
visible at any length of the run.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

DOTS_X = 2
DOTS_Y = 4

_BLANK = 0x2800
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_MIN_LOG = 1e-9

Span = tuple[int, int]
"""The first and last dot row of a column, from top to bottom."""


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto dots 0 to `dots` - 1, evenly or by their logarithm."""

    low: float
    high: float
    dots: int
    log: bool = False

    def dot(self, value: float) -> int:
        """Return the dot of `value`, counted from the low end; values outside the range are at its edge."""
        return self.dotter()(value)

    def dot_from_top(self, value: float) -> int:
        """Return the dot row of `value` on a screen, where rows count downwards."""
        return self.dots - 1 - self.dot(value)

    def dotter(self) -> Callable[[float], int]:
        """Return `dot` for many values, with everything that does not depend on the value computed once."""
        last, log = self.dots - 1, self.log
        low, high = (_log(self.low), _log(self.high)) if log else (self.low, self.high)
        factor = last / (high - low) if high > low else 0.0
        offset = 0.5 if high > low else 0.5 + last / 2

        def dot(value: float) -> int:
            place = ((_log(value) if log else value) - low) * factor + offset
            return 0 if place < 0.0 else last if place > last else int(place)

        return dot

    def value(self, fraction: float) -> float:
        """Return the value at `fraction` of the way from low to high."""
        if not self.log:
            return self.low + fraction * (self.high - self.low)
        low, high = _log(self.low), _log(self.high)
        return math.exp(low + fraction * (high - low))


def _log(value: float) -> float:
    return math.log(max(value, _MIN_LOG))


class Raster:
    """A grid of dots, `columns` x `rows` cells large; only cells with dots are stored."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self.cells: dict[tuple[int, int], int] = {}
        """The dots of each cell that has any, by row and column."""

    def dot(self, x: int, y: int) -> None:
        """Set one dot; dots outside the grid are ignored."""
        if 0 <= x < self.columns * DOTS_X and 0 <= y < self.rows * DOTS_Y:
            cell = (y >> 2, x >> 1)
            self.cells[cell] = self.cells.get(cell, 0) | _BITS[y & 3][x & 1]

    def column(self, x: int, span: Span) -> None:
        """Set the dots of one column from the first to the last row of `span`."""
        for y in range(span[0], span[1] + 1):
            self.dot(x, y)


def character(mask: int) -> str:
    """Return the braille character of a cell's dots; a space without dots."""
    return chr(_BLANK + mask) if mask else " "


def spans(points: Iterable[tuple[float, float, float]], x: Scale, y: Scale) -> dict[int, Span]:
    """Return the dots that each column covers: the extremes per column of (position, smallest, largest) triples."""
    across, up, bottom_row = x.dotter(), y.dotter(), y.dots - 1
    columns: dict[int, Span] = {}
    for position, smallest, largest in points:
        column, top, bottom = across(position), bottom_row - up(largest), bottom_row - up(smallest)
        old = columns.get(column)
        columns[column] = (top, bottom) if old is None else (min(old[0], top), max(old[1], bottom))
    return columns


def path(points: Iterable[tuple[float, float]], x: Scale, y: Scale) -> list[tuple[int, int]]:
    """Return the dots of a curve, one per column: the last of the points in it."""
    across, up, bottom_row = x.dotter(), y.dotter(), y.dots - 1
    columns = {across(position): value for position, value in points}
    return [(column, bottom_row - up(value)) for column, value in sorted(columns.items())]


def draw_spans(raster: Raster, columns: dict[int, Span]) -> None:
    """Draw each column's span."""
    for x, span in columns.items():
        raster.column(x, span)


def draw_path(raster: Raster, dots: Sequence[tuple[int, int]]) -> None:
    """Draw the dots and straight lines between them; `dots` go from left to right."""
    if len(dots) == 1:
        raster.dot(*dots[0])
    for (x0, y0), (x1, y1) in itertools.pairwise(dots):
        _draw_segment(raster, x0, y0, x1, y1)


def _draw_segment(raster: Raster, x0: int, y0: int, x1: int, y1: int) -> None:
    steps = max(abs(x1 - x0), abs(y1 - y0), 1)
    for k in range(steps + 1):
        raster.dot(x0 + round(k * (x1 - x0) / steps), y0 + round(k * (y1 - y0) / steps))


def draw_level(raster: Raster, y: int, every: int = 4) -> None:
    """Draw a dotted horizontal line."""
    for x in range(0, raster.columns * DOTS_X, every):
        raster.dot(x, y)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round numbers from low to high: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low or most < 1:
        return []
    step = _round_step((high - low) / most)
    while math.floor(high / step) - math.ceil(low / step) + 1 > most:
        step = _round_step(step * 1.5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)][:most]


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round numbers for a logarithmic axis."""
    low = max(low, _MIN_LOG)
    if not high > low or most < 1:
        return []
    choices = [(1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 4, 6), (1, 1.5, 2.5, 4), (1, 2, 5), (1, 3), (1,)]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in choices:
        found = [round(f * 10.0**p, 12) for p in powers for f in factors if low <= f * 10.0**p <= high]
        if len(found) <= most:
            return found
    return found[:: -(-len(found) // most)]


def number(value: float) -> str:
    """Return a tick's value in short form: 0.5, 2, 250, 10k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size and (size > 1e3 or abs(value) >= 1e4):
            return f"{value / size:g}{unit}"
    return f"{value:g}"
