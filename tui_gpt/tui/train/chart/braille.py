"""Braille rasters: scales, ticks and lines of dots, as pure functions.

A character cell holds 2 x 4 dots, so a chart of 60 x 12 cells has 120 x 48 of them. A curve with more points than
columns is drawn as the range from the smallest to the largest value in each column: a spike of a single step stays
visible at any length of the run.
"""

import bisect
import itertools
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

DOTS_X = 2
DOTS_Y = 4

_BLANK = 0x2800
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_COLUMN = (0x47, 0xB8)
"""The dots of the left and of the right column of a cell."""
_FROM = (0xFF, 0xF6, 0xE4, 0xC0)
"""The dots from a row on, and below."""
_UP_TO = (0x09, 0x1B, 0x3F, 0xFF)
"""The dots down to a row."""
_MIN_LOG = 1e-9

Span = tuple[int, int]
"""The first and last dot row of a column, from top to bottom."""
Dot = tuple[int, int]
"""A dot's column and row, from the top left corner."""


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

    def dots_of(self, values: Sequence[float]) -> list[int]:
        """Return `dot` of many values."""
        if not len(values):
            return []
        last, low, high = self.dots - 1, self.low, self.high
        if self.log:
            values, low, high = [_log(value) for value in values], _log(low), _log(high)
        factor = last / (high - low) if high > low else 0.0
        shift = 0.5 - low * factor if high > low else 0.5 + last / 2
        dots = [int(value * factor + shift) for value in values]
        if min(dots) < 0 or max(dots) > last or min(values) < low:
            dots = [0 if dot < 0 else min(dot, last) for dot in dots]
        return dots

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
        self.cells: dict[int, int] = {}
        """The dots of each cell that has any; cells are numbered row by row."""

    def mask(self, row: int, column: int) -> int:
        """Return the dots of a cell."""
        return self.cells.get(row * self.columns + column, 0)

    def dot(self, x: int, y: int) -> None:
        """Set one dot; dots outside the grid are ignored."""
        if 0 <= x < self.columns * DOTS_X and 0 <= y < self.rows * DOTS_Y:
            cell = (y >> 2) * self.columns + (x >> 1)
            self.cells[cell] = self.cells.get(cell, 0) | _BITS[y & 3][x & 1]

    def column(self, x: int, span: Span) -> None:
        """Set the dots of one column from the first to the last row of `span`."""
        top, bottom = max(0, span[0]), min(self.rows * DOTS_Y - 1, span[1])
        if not 0 <= x < self.columns * DOTS_X or top > bottom:
            return
        cells, side = self.cells, x & 1
        for row in range(top >> 2, (bottom >> 2) + 1):
            mask = _COLUMN[side]
            if row == top >> 2:
                mask &= _FROM[top & 3]
            if row == bottom >> 2:
                mask &= _UP_TO[bottom & 3]
            cell = row * self.columns + (x >> 1)
            cells[cell] = cells.get(cell, 0) | mask


def character(mask: int) -> str:
    """Return the braille character of a cell's dots; a space without dots."""
    return chr(_BLANK + mask) if mask else " "


def spans(places: Sequence[float], mins: Sequence[float], maxs: Sequence[float], x: Scale, y: Scale) -> dict[int, Span]:
    """Return the dots that each column covers, from the smallest to the largest of the values in it."""
    bottom_row = y.dots - 1
    columns: dict[int, Span] = {}
    for column, low, high in zip(x.dots_of(places), y.dots_of(mins), y.dots_of(maxs), strict=True):
        top, bottom = bottom_row - high, bottom_row - low
        old = columns.get(column)
        if old is not None:
            top, bottom = min(old[0], top), max(old[1], bottom)
        columns[column] = top, bottom
    return columns


def path(places: Sequence[float], values: Sequence[float], x: Scale, y: Scale) -> list[Dot]:
    """Return the dots of a curve from left to right, one per column: the last of the points in it."""
    columns = dict(zip(x.dots_of(places), values, strict=True))
    rows = y.dots_of(list(columns.values()))
    return [(column, y.dots - 1 - row) for column, row in zip(columns, rows, strict=True)]


def split(dots: Sequence[Dot], gaps: Collection[int]) -> list[list[Dot]]:
    """Return the parts of a path between gaps, which are dot columns. Next to a gap nothing is drawn."""
    if not gaps:
        return [list(dots)]
    empty = without_neighbours(gaps)
    edges = sorted(gaps)
    parts: list[list[Dot]] = [[]]
    before = 0
    for dot in dots:
        passed = bisect.bisect_right(edges, dot[0])
        if passed != before and parts[-1]:
            parts.append([])
        before = passed
        if dot[0] not in empty:
            parts[-1].append(dot)
    return [part for part in parts if part]


def without_neighbours(gaps: Collection[int]) -> set[int]:
    """Return the columns of gaps and those beside them, so that a gap is seen."""
    return {gap + k for gap in gaps for k in (-1, 0, 1)}


def draw_spans(raster: Raster, columns: dict[int, Span]) -> None:
    """Draw each column's span."""
    for x, span in columns.items():
        raster.column(x, span)


def draw_path(raster: Raster, dots: Sequence[Dot], pattern: str = "1") -> None:
    """Draw the dots and straight lines between them, from left to right; dots at a `0` of the pattern are left out."""
    _draw_dots(raster, _line_dots(dots), pattern)


def _line_dots(dots: Sequence[Dot]) -> list[Dot]:
    """Return all dots of the lines between dots, in order."""
    found: list[Dot] = []
    add = found.append
    for (x0, y0), (x1, y1) in itertools.pairwise(dots):
        dx, dy = x1 - x0, y1 - y0
        length = max(dx, dy, -dy)
        if length <= 1:
            add((x0, y0))
        else:
            double = 2 * length
            found += [
                (x0 + (2 * k * dx + length) // double, y0 + (2 * k * dy + length) // double) for k in range(length)
            ]
    return [*found, *dots[-1:]]


def _draw_dots(raster: Raster, dots: Sequence[Dot], pattern: str) -> None:
    """Set many dots, as `Raster.dot` sets one; those at a `0` of the pattern are left out."""
    if "0" in pattern:
        dots = list(itertools.compress(dots, itertools.cycle([one == "1" for one in pattern])))
    cells, columns, width, height = raster.cells, raster.columns, raster.columns * DOTS_X, raster.rows * DOTS_Y
    get = cells.get
    for x, y in dots:
        if 0 <= x < width and 0 <= y < height:
            cell = (y >> 2) * columns + (x >> 1)
            cells[cell] = get(cell, 0) | _BITS[y & 3][x & 1]


def draw_level(raster: Raster, y: int, every: int = 4) -> None:
    """Draw a dotted horizontal line."""
    for x in range(0, raster.columns * DOTS_X, every):
        raster.dot(x, y)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round numbers from low to high: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low or most < 1:
        return []
    step = round_step((high - low) / most)
    while math.floor(high / step) - math.ceil(low / step) + 1 > most:
        step = round_step(step * 1.5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)][:most]


def round_step(least: float) -> float:
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
    """Return a tick's value in short form: 5e-4, 0.5, 2, 250, 10k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size and (size > 1e3 or abs(value) >= 1e4):
            return f"{value / size:g}{unit}"
    if 0.0 < abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"
