"""A chart as cells: layers of dots, labels, marks and a cursor, and the axes around them."""

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tui_gpt.tui.train.chart import braille
from tui_gpt.tui.train.chart.braille import Raster, Scale
from tui_gpt.tui.train.chart.quantities import X_TITLES, XAxis

GUTTER = 8
"""Cells at the left of the plot: a number and the axis."""

Cell = tuple[str, str]
"""A character, or several, and the name of their style."""
_EMPTY: Cell = (" ", "axis")
_UNDER_CURSOR = ("axis", "reference", "raw")
_LONG_TIMES = ((3 * 3600.0, 3600.0, "hours"), (600.0, 60.0, "minutes"))
_CELLS_PER_X_LABEL = 12
_Y_STEPS = 60


@dataclass
class Canvas:
    """The cells of one drawing, layer upon layer."""

    x: Scale
    """In the unit of the x axis; two dots per cell."""
    y: Scale
    """Four dots per cell."""
    axis_line: list[Cell] = field(init=False)
    cells: list[dict[int, Cell]] = field(init=False)
    """The cells of each row that are not empty, by column."""

    def __post_init__(self) -> None:
        self.columns, self.rows = self.x.dots // braille.DOTS_X, self.y.dots // braille.DOTS_Y
        self.cells = [{} for _ in range(self.rows)]
        self.axis_line = [("─", "axis")] * self.columns

    def row(self, value: float) -> int:
        """Return the row of a value of the y axis."""
        return self.y.dot_from_top(value) // braille.DOTS_Y

    def column(self, place: float) -> int:
        """Return the column of a place on the x axis."""
        return self.x.dot(place) // braille.DOTS_X

    def is_visible(self, place: float) -> bool:
        """Return whether a place is on the visible part of the x axis."""
        return self.x.low <= place <= self.x.high

    def raster(self) -> Raster:
        """Return an empty raster for a layer."""
        return Raster(self.columns, self.rows)

    def put(self, row: int, column: int, character: str, style: str) -> None:
        """Put a character over what is in a cell."""
        self.cells[row][column] = (character, style)

    def put_raster(self, raster: Raster, style: str) -> None:
        """Put a layer of dots over the present cells; where it has dots, only they are visible."""
        columns, cells = self.columns, self.cells
        shown = _all_cells(style)
        for cell, mask in raster.cells.items():
            cells[cell // columns][cell % columns] = shown[mask]

    def put_level(self, value: float) -> None:
        """Put a dotted line."""
        raster = self.raster()
        braille.draw_level(raster, self.y.dot_from_top(value))
        self.put_raster(raster, "reference")

    def put_label(self, value: float, label: str) -> None:
        """Put the label of a line where no curve is in its way: at the left, or else as far right as possible."""
        row, text = self.row(value), f" {label} "
        taken = {column for column, (_, style) in self.cells[row].items() if style != "reference"}
        places = range(1, self.columns - len(text) + 1)
        free = [start for start in places if taken.isdisjoint(range(start, start + len(text)))]
        if free:
            start = 1 if free[0] == 1 else free[-1]
            for k, character in enumerate(text):
                self.put(row, start + k, character, "label")

    def put_mark(self, place: float, symbol: str) -> None:
        """Put a symbol on the x axis."""
        if self.is_visible(place):
            self.axis_line[self.column(place)] = (symbol, "mark")

    def put_cursor(self, place: float) -> None:
        """Put a vertical line through the empty cells."""
        if not self.is_visible(place):
            return
        column = self.column(place)
        for row in self.cells:
            if row.get(column, _EMPTY)[1] in _UNDER_CURSOR:
                row[column] = ("│", "cursor")
        self.axis_line[column] = ("┴", "cursor")

    def put_message(self, message: str) -> None:
        """Put a sentence, its lines centred in the plot."""
        lines = message.split("\n") if message else []
        for k, line in enumerate(lines):
            row, start = (self.rows - len(lines)) // 2 + k, (self.columns - len(line)) // 2
            if 0 <= row < self.rows and start >= 0:
                for i, character in enumerate(line):
                    self.put(row, start + i, character, "message")

    def plot_lines(self, most_labels: int) -> list[list[Cell]]:
        """Return the rows of the plot and its x axis, from top to bottom, with the numbers of the y axis."""
        find = braille.log_ticks if self.y.log else braille.ticks
        found = find(self.y.low, self.y.high, most_labels)
        labels = {self.row(value): braille.number(value) for value in reversed(found)}
        plot = [
            [(f"{labels.get(row, ''):>{GUTTER - 2}} {'┤' if row in labels else '│'}", "axis"), *_with_gaps(cells)]
            for row, cells in enumerate(self.cells)
        ]
        return [*plot, [(" " * (GUTTER - 1), "axis"), ("╰", "axis"), *self.axis_line]]

    def x_labels(self, axis: XAxis) -> list[Cell]:
        """Return the numbers of the x axis, and its name at the right."""
        divisor, title = _x_unit(axis, self.x.high)
        space = self.columns + GUTTER - len(title) - 2
        line = [" "] * space
        for value in braille.ticks(self.x.low / divisor, self.x.high / divisor, max(2, space // _CELLS_PER_X_LABEL)):
            text = braille.number(value)
            start = GUTTER + self.column(value * divisor) - len(text) // 2
            if start + len(text) <= space:
                line[start : start + len(text)] = text
        return [("".join(line), "axis"), (f"  {title}", "x-title")]


@functools.cache
def _all_cells(style: str) -> list[Cell]:
    """Return the cells of one style by their dots."""
    return [(braille.character(mask), style) for mask in range(256)]


def _x_unit(axis: XAxis, end: float) -> tuple[float, str]:
    """Return how many units of the axis make one of the shown unit, and the title."""
    if axis == "seconds":
        for least, divisor, title in _LONG_TIMES:
            if end >= least:
                return divisor, title
    return 1.0, X_TITLES[axis]


def _with_gaps(cells: dict[int, Cell]) -> list[Cell]:
    """Return a row's cells from left to right, with spaces between them."""
    line: list[Cell] = []
    end = 0
    for column in sorted(cells):
        if column > end:
            line.append((" " * (column - end), "axis"))
        line.append(cells[column])
        end = column + 1
    return line


def width_of(line: Sequence[Cell]) -> int:
    """Return the number of characters in a line."""
    return sum(len(text) for text, _ in line)


def y_scale(values: Iterable[float], rows: int, *, log: bool, default: tuple[float, float] = (1.0, 4.0)) -> Scale:
    """Return a scale that covers all values with a margin, never below zero.

    Its ends are round, so that one new value seldom moves the whole chart.
    """
    found = list(values)
    low, high = (min(found), max(found)) if found else default
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    bottom = max(low - margin, low * 0.9) if log else max(low - margin, 0.0)
    step = braille.round_step((high + margin - bottom) / _Y_STEPS)
    bottom, top = math.floor(bottom / step) * step, math.ceil((high + margin) / step) * step
    return Scale(bottom if bottom > 0 or not log else low * 0.9, top, rows * braille.DOTS_Y, log)
