"""The plot of a loss chart: curves, references, marks and axes as cells, computed from a `RunView`."""

from collections.abc import Sequence

from tui_gpt.events import Evaluated
from tui_gpt.tui.train.chart import braille
from tui_gpt.tui.train.chart.braille import Raster, Scale
from tui_gpt.tui.train.record import Reference, RunView

GUTTER = 6
"""Cells at the left of the plot: a number and the axis."""
_MAX_DISTANCE = 0.35
"""How far outside the measured losses, in nats, a reference is still drawn."""

Cell = tuple[str, str]
"""A character, or several, and the name of their style."""
_EMPTY: Cell = (" ", "axis")


class Plot:
    """The cells of one drawing, layer upon layer."""

    def __init__(self, record: RunView, smoothed: list[tuple[int, float]], columns: int, rows: int, log: bool) -> None:
        self.record, self.smoothed = record, smoothed
        self.columns, self.rows = columns, rows
        self.references = _near(record.references, _losses(record))
        self.x = steps_scale(record, columns)
        self.y = _loss_scale(record, rows, log)
        self.cells: list[dict[int, Cell]] = [{} for _ in range(rows)]
        """The cells of each row, by column."""
        self.axis: list[Cell] = [("─", "axis")] * columns
        self._draw()

    def _draw(self) -> None:
        record = self.record
        for reference in self.references:
            self._put_level(reference)
        self._put_raster(self._raw(), "raw")
        self._put_curve(self.smoothed, "train")
        measured = [(float(one.step), one.val_loss) for one in record.evaluations]
        self._put_curve(measured, "validation")
        for one in record.evaluations:
            self._put(self._row(one.val_loss), self._column(one.step), symbol_of(one), "validation")
        for reference in self.references:
            self._put_label(reference)
        for mark in record.marks:
            self.axis[self._column(mark.step)] = (mark.symbol, "mark")

    def _row(self, loss: float) -> int:
        return self.y.dot_from_top(loss) // braille.DOTS_Y

    def _column(self, step: float) -> int:
        return self.x.dot(step) // braille.DOTS_X

    def _put(self, row: int, column: int, character: str, style: str) -> None:
        self.cells[row][column] = (character, style)

    def _raw(self) -> Raster:
        raster = Raster(self.columns, self.rows)
        triples = ((point.step, point.min, point.max) for point in self.record.train)
        braille.draw_spans(raster, braille.spans(triples, self.x, self.y))
        return raster

    def _put_curve(self, points: list[tuple[int, float]] | list[tuple[float, float]], style: str) -> None:
        raster = Raster(self.columns, self.rows)
        braille.draw_path(raster, braille.path(points, self.x, self.y))
        self._put_raster(raster, style)

    def _put_raster(self, raster: Raster, style: str) -> None:
        """Draw a raster over the present cells; where it has dots, only they are visible."""
        for (row, column), mask in raster.cells.items():
            self.cells[row][column] = (braille.character(mask), style)

    def _put_level(self, reference: Reference) -> None:
        """Draw a dotted line."""
        raster = Raster(self.columns, self.rows)
        braille.draw_level(raster, self.y.dot_from_top(reference.loss))
        self._put_raster(raster, "reference")

    def _put_label(self, reference: Reference) -> None:
        """Draw the label of a line where no curve is in its way: at the left, or else as far right as possible."""
        row, text = self._row(reference.loss), f" {reference.label} "
        taken = {column for column, (_, style) in self.cells[row].items() if style != "reference"}
        places = range(1, self.columns - len(text) + 1)
        free = [start for start in places if taken.isdisjoint(range(start, start + len(text)))]
        if free:
            start = 1 if free[0] == 1 else free[-1]
            for k, character in enumerate(text):
                self._put(row, start + k, character, "label")

    def put_cursor(self, step: float) -> None:
        """Draw a vertical line through the empty cells."""
        column = self._column(step)
        for row in self.cells:
            if row.get(column, _EMPTY)[1] in ("axis", "reference", "raw"):
                row[column] = ("│", "cursor")
        self.axis[column] = ("┴", "cursor")

    def put_message(self, message: str) -> None:
        """Draw a sentence, its lines centred in the plot."""
        lines = message.split("\n") if message else []
        for k, line in enumerate(lines):
            row, start = (self.rows - len(lines)) // 2 + k, (self.columns - len(line)) // 2
            if 0 <= row < self.rows and start >= 0:
                for i, character in enumerate(line):
                    self._put(row, start + i, character, "message")

    def lines(self) -> list[list[Cell]]:
        """Return the rows of the plot with its axes, from top to bottom."""
        labels = self._loss_labels()
        plot = [
            [(f"{labels.get(row, ''):>{GUTTER - 2}} {'┤' if row in labels else '│'}", "axis"), *_with_gaps(cells)]
            for row, cells in enumerate(self.cells)
        ]
        return [*plot, [(" " * (GUTTER - 1), "axis"), ("╰", "axis"), *self.axis], self._step_labels()]

    def _loss_labels(self) -> dict[int, str]:
        find = braille.log_ticks if self.y.log else braille.ticks
        found = find(self.y.low, self.y.high, max(3, self.rows // 3))
        return {self._row(value): braille.number(value) for value in reversed(found)}

    def _step_labels(self) -> list[Cell]:
        line = [" "] * (self.columns + GUTTER)
        if not self.smoothed and not self.record.max_iters:
            return [("".join(line), "axis")]
        for value in braille.ticks(self.x.low, self.x.high, max(2, self.columns // 12)):
            text = braille.number(value)
            start = min(GUTTER + self._column(value) - len(text) // 2, len(line) - len(text))
            line[start : start + len(text)] = text
        return [("".join(line), "axis")]


def symbol_of(evaluation: Evaluated) -> str:
    """Return the symbol of an evaluation: a filled dot is the loss of record, a hollow one an estimate."""
    return "○" if evaluation.is_estimate else "●"


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


def steps_scale(record: RunView, columns: int) -> Scale:
    """Return the scale of all steps of the run, or of those made once it has ended early."""
    planned = record.max_iters or 0
    high = planned if record.is_live else record.step
    return Scale(0.0, float(max(high, record.step, 1)), max(1, columns) * braille.DOTS_X)


def _loss_scale(record: RunView, rows: int, log: bool) -> Scale:
    """Return a scale that covers every loss and the nearby references, with a margin."""
    losses = _losses(record)
    losses += [one.loss for one in _near(record.references, losses)]
    low, high = min(losses, default=1.0), max(losses, default=4.0)
    margin = 0.05 * (high - low) or 0.5
    bottom = max(low - margin, low * 0.9) if log else max(low - margin, 0.0)
    return Scale(bottom, high + margin, rows * braille.DOTS_Y, log)


def _near(references: Sequence[Reference], losses: list[float]) -> list[Reference]:
    """Return the references close to the losses; all of them while there are no losses."""
    if not losses:
        return list(references)
    low, high = min(losses) - _MAX_DISTANCE, max(losses) + _MAX_DISTANCE
    return [one for one in references if low <= one.loss <= high]


def _losses(record: RunView) -> list[float]:
    """Return everything that must fit between bottom and top."""
    extremes = [value for point in record.train for value in (point.min, point.max)]
    return extremes + [one.val_loss for one in record.evaluations]
