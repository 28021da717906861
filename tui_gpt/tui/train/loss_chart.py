"""The loss chart: a run's curves in braille, with axes, published losses to compare with, and a cursor to read values.

All lines are made once for each change of the data, the size or the cursor (about a millisecond), and `render_line`
only hands them out. What is drawn comes from a `RunRecord`; the arithmetic is `tui_gpt.tui.train.braille`'s.
"""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.escaping import escape_controls
from tui_gpt.events import Evaluated
from tui_gpt.tui.train import braille
from tui_gpt.tui.train.braille import Raster, Scale
from tui_gpt.tui.train.record import Reference, RunRecord, loss_words

_GUTTER = 6
"""Cells left of the plot: a number and the axis."""
_ABOVE, _BELOW = 1, 2
"""Lines above the plot (legend) and below it (axis, numbers)."""
_LEAST_WIDTH, _LEAST_HEIGHT = 24, 6
_WIDE = 100
_REACH = 0.35
"""How far outside the measured losses, in nats, a reference may lie to be drawn."""

Cell = tuple[str, str]
"""A character and the name of its style."""
_EMPTY: Cell = (" ", "axis")


class LossChart(Widget, can_focus=True):
    """Training and validation loss by step, in nats per character."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "loss-chart--axis",
        "loss-chart--title",
        "loss-chart--raw",
        "loss-chart--train",
        "loss-chart--validation",
        "loss-chart--reference",
        "loss-chart--label",
        "loss-chart--mark",
        "loss-chart--cursor",
        "loss-chart--message",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Read values", show=False),
        Binding("right", "move(1)", "Read values", show=False),
        Binding("shift+left", "move(-10)", "Read values", show=False),
        Binding("shift+right", "move(10)", "Read values", show=False),
        Binding("home", "edge(0)", "First value", show=False),
        Binding("end", "edge(1)", "Last value", show=False),
        Binding("escape", "clear_cursor", "Hide the cursor", show=False),
    ]

    log_y = reactive(False)
    cursor: reactive[float | None] = reactive(None)
    """The step whose values are read, or None."""
    message = reactive("")
    """A sentence in the middle of a plot without curves."""

    class CursorMoved(Message):
        """The cursor was put on `step`, or taken away (None)."""

        def __init__(self, step: float | None) -> None:
            self.step = step
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._record = RunRecord()
        self._smoothed: list[tuple[int, float]] = []
        self._lines: list[Strip] | None = None

    def show(self, record: RunRecord) -> None:
        """Draw `record` as it stands now; call again whenever it has grown."""
        self._record = record
        self._smoothed = record.train.smoothed()
        self._redraw()

    def _redraw(self) -> None:
        self._lines = None
        self.refresh()

    def watch_log_y(self) -> None:
        self._redraw()

    def watch_message(self) -> None:
        self._redraw()

    def watch_cursor(self) -> None:
        self._redraw()
        self.post_message(self.CursorMoved(self.cursor))

    def on_resize(self) -> None:
        self._redraw()

    def notify_style_update(self) -> None:
        """Colours changed: a theme was chosen."""
        super().notify_style_update()
        self._lines = None

    def render_line(self, y: int) -> Strip:
        """One line of the widget."""
        if self._lines is None:
            self._lines = self._drawn(self.size.width, self.size.height)
        return self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, self.rich_style)

    def _drawn(self, width: int, height: int) -> list[Strip]:
        if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
            return []
        rows = _Plot(self._record, self._smoothed, width - _GUTTER, height - _ABOVE - _BELOW, self.log_y)
        if self.cursor is not None:
            rows.put_cursor(self.cursor)
        if not self._smoothed:
            rows.put_message(self.message)
        lines = [self._heading(width), *rows.lines()]
        return [self._strip(line, width) for line in lines]

    def _heading(self, width: int) -> list[Cell]:
        """What the axis measures, and the legend or the values under the cursor."""
        title = "loss" if width < _WIDE else "loss in nats per character"
        title += ", log scale" if self.log_y else ""
        if self.cursor is not None and self._smoothed:
            legend = self._readout(self.cursor)
        else:
            legend = self._legend(width - len(title) - 1)
        return [(title, "title"), (" " * max(1, width - len(title) - _cells(legend)), "title"), *legend]

    def _legend(self, width: int) -> list[Cell]:
        """The signs of the chart; those of validation say on how much of the text it was measured, where that fits."""
        if not self._smoothed:
            return []
        parts: list[Cell] = [("⣿ ", "raw"), ("training  ", "title"), ("━ ", "train"), ("smoothed", "title")]
        newest = {one.is_estimate: one for one in self._record.evaluations}
        long, short = parts, parts
        for is_estimate in (False, True):
            if (evaluation := newest.get(is_estimate)) is not None:
                sign: Cell = (f"  {_sign(evaluation)} ", "validation")
                name = "estimate" if is_estimate else "validation"
                short = [*short, sign, (name, "title")]
                long = [*long, sign, (f"{name} {self._record.extent_of(evaluation)}".rstrip(), "title")]
        return long if _cells(long) <= width else short

    def _readout(self, cursor: float) -> list[Cell]:
        """The values under the cursor, and what happened there."""
        point = self._record.train.at(cursor)
        evaluation = self._record.evaluation_at(cursor)
        scale = _steps_scale(self._record, self.size.width - _GUTTER)
        reach = (scale.high - scale.low) / max(1, self.size.width - _GUTTER - 1) / 2
        parts: list[Cell] = [(f"step {cursor:,.0f}", "cursor")]
        if point:
            parts += [("  training ", "title"), (f"{point.mean:.4f}", "train")]
        if evaluation:
            parts += [("  validation ", "title"), (loss_words(evaluation, 4), "validation")]
        marks = self._record.marks_between(cursor - reach, cursor + reach)
        return parts + [(f"  {escape_controls(mark.text)}".replace("\n", " "), "mark") for mark in marks[-1:]]

    def _strip(self, line: list[Cell], width: int) -> Strip:
        segments: list[Segment] = []
        run, style = "", ""
        for text, name in [*line, ("", "end")]:
            if name != style and run:
                segments.append(Segment(run, self.get_component_rich_style(f"loss-chart--{style}")))
                run = ""
            run, style = run + text, name
        return Strip(segments).adjust_cell_length(width, self.get_component_rich_style("loss-chart--axis"))

    def _step_at(self, x: int) -> float:
        """The step at a cell of the widget."""
        scale = _steps_scale(self._record, self.size.width - _GUTTER)
        return scale.value(min(max((x - _GUTTER) / max(1, self.size.width - _GUTTER - 1), 0.0), 1.0))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The cursor follows the mouse."""
        if self._smoothed:
            self.cursor = self._step_at(event.x)

    def on_leave(self) -> None:
        """Without the mouse the chart shows its legend again."""
        self.cursor = None

    def action_move(self, cells: int) -> None:
        """Move the cursor by some cells; it starts at the newest step."""
        if not self._smoothed:
            return
        width = self.size.width - _GUTTER
        scale = _steps_scale(self._record, width)
        newest = self._record.step
        here = newest if self.cursor is None else self.cursor + cells * (scale.high - scale.low) / max(1, width - 1)
        self.cursor = min(max(here, scale.low), newest)

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first or the newest step."""
        if self._smoothed:
            self.cursor = float(self._record.step if last else self._smoothed[0][0])

    def action_clear_cursor(self) -> None:
        """Take the cursor away."""
        self.cursor = None


class _Plot:
    """The cells of one drawing, layer over layer."""

    def __init__(
        self, record: RunRecord, smoothed: list[tuple[int, float]], columns: int, rows: int, log: bool
    ) -> None:
        self.record, self.smoothed = record, smoothed
        self.columns, self.rows = columns, rows
        self.references = _near(record.references, _losses(record))
        self.x = _steps_scale(record, columns)
        self.y = _loss_scale(record, rows, log)
        self.cells: list[dict[int, Cell]] = [{} for _ in range(rows)]
        """What is in each row, by column."""
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
            self._put(self._row(one.val_loss), self._column(one.step), _sign(one), "validation")
        for reference in self.references:
            self._put_label(reference)
        for mark in record.marks:
            self.axis[self._column(mark.step)] = (mark.sign, "mark")

    def _row(self, loss: float) -> int:
        return self.y.dot_from_top(loss) // braille.DOTS_Y

    def _column(self, step: float) -> int:
        return self.x.dot(step) // braille.DOTS_X

    def _put(self, row: int, column: int, character: str, style: str) -> None:
        self.cells[row][column] = (character, style)

    def _raw(self) -> Raster:
        raster = Raster(self.columns, self.rows)
        triples = ((point.step, point.least, point.most) for point in self.record.train)
        braille.draw_spans(raster, braille.spans(triples, self.x, self.y))
        return raster

    def _put_curve(self, points: list[tuple[int, float]] | list[tuple[float, float]], style: str) -> None:
        raster = Raster(self.columns, self.rows)
        braille.draw_path(raster, braille.path(points, self.x, self.y))
        self._put_raster(raster, style)

    def _put_raster(self, raster: Raster, style: str) -> None:
        """Lay a sheet over what is there; where it has dots, they are all that is seen."""
        for (row, column), mask in raster.cells.items():
            self.cells[row][column] = (braille.character(mask), style)

    def _put_level(self, reference: Reference) -> None:
        """A dotted line."""
        raster = Raster(self.columns, self.rows)
        braille.draw_level(raster, self.y.dot_from_top(reference.loss))
        self._put_raster(raster, "reference")

    def _put_label(self, reference: Reference) -> None:
        """The name of a line, where no curve is in its way: at the left if it can be, else as far right as possible."""
        row, text = self._row(reference.loss), f" {reference.label} "
        taken = {column for column, (_, style) in self.cells[row].items() if style != "reference"}
        places = range(1, self.columns - len(text) + 1)
        free = [start for start in places if taken.isdisjoint(range(start, start + len(text)))]
        if free:
            start = 1 if free[0] == 1 else free[-1]
            for k, character in enumerate(text):
                self._put(row, start + k, character, "label")

    def put_cursor(self, step: float) -> None:
        """A vertical line through everything that is empty."""
        column = self._column(step)
        for row in self.cells:
            if row.get(column, _EMPTY)[1] in ("axis", "reference", "raw"):
                row[column] = ("│", "cursor")
        self.axis[column] = ("┴", "cursor")

    def put_message(self, message: str) -> None:
        """A sentence, its lines centred in the plot."""
        lines = message.split("\n") if message else []
        for k, line in enumerate(lines):
            row, start = (self.rows - len(lines)) // 2 + k, (self.columns - len(line)) // 2
            if 0 <= row < self.rows and start >= 0:
                for i, character in enumerate(line):
                    self._put(row, start + i, character, "message")

    def lines(self) -> list[list[Cell]]:
        """The plot with its axes, from top to bottom."""
        labels = self._loss_labels()
        plot = [
            [(f"{labels.get(row, ''):>{_GUTTER - 2}} {'┤' if row in labels else '│'}", "axis"), *_with_gaps(cells)]
            for row, cells in enumerate(self.cells)
        ]
        return [*plot, [(" " * (_GUTTER - 1), "axis"), ("╰", "axis"), *self.axis], self._step_labels()]

    def _loss_labels(self) -> dict[int, str]:
        find = braille.log_ticks if self.y.log else braille.ticks
        found = find(self.y.low, self.y.high, max(3, self.rows // 3))
        return {self._row(value): braille.number(value) for value in reversed(found)}

    def _step_labels(self) -> list[Cell]:
        line = [" "] * (self.columns + _GUTTER)
        if not self.smoothed and not self.record.max_iters:
            return [("".join(line), "axis")]
        for value in braille.ticks(self.x.low, self.x.high, max(2, self.columns // 12)):
            text = braille.number(value)
            start = min(_GUTTER + self._column(value) - len(text) // 2, len(line) - len(text))
            line[start : start + len(text)] = text
        return [("".join(line), "axis")]


def _sign(evaluation: Evaluated) -> str:
    """A filled dot is the loss of record, a hollow one an estimate of it."""
    return "○" if evaluation.is_estimate else "●"


def _cells(line: Sequence[Cell]) -> int:
    """How many cells a line takes."""
    return sum(len(text) for text, _ in line)


def _with_gaps(cells: dict[int, Cell]) -> list[Cell]:
    """A row's cells from left to right, with spaces where there are none."""
    line: list[Cell] = []
    end = 0
    for column in sorted(cells):
        if column > end:
            line.append((" " * (column - end), "axis"))
        line.append(cells[column])
        end = column + 1
    return line


def _steps_scale(record: RunRecord, columns: int) -> Scale:
    """All steps of the run; those made, once it has ended early."""
    planned = record.max_iters or 0
    high = planned if record.is_live else record.step
    return Scale(0.0, float(max(high, record.step, 1)), max(1, columns) * braille.DOTS_X)


def _loss_scale(record: RunRecord, rows: int, log: bool) -> Scale:
    """Room for every loss, and for the references that are near enough to compare with; and a little air."""
    losses = _losses(record)
    losses += [one.loss for one in _near(record.references, losses)]
    low, high = min(losses, default=1.0), max(losses, default=4.0)
    air = 0.05 * (high - low) or 0.5
    bottom = max(low - air, low * 0.9) if log else max(low - air, 0.0)
    return Scale(bottom, high + air, rows * braille.DOTS_Y, log)


def _near(references: Sequence[Reference], losses: list[float]) -> list[Reference]:
    """The references within reach of the losses; all of them while there are none."""
    if not losses:
        return list(references)
    low, high = min(losses) - _REACH, max(losses) + _REACH
    return [one for one in references if low <= one.loss <= high]


def _losses(record: RunRecord) -> list[float]:
    """Everything that must fit between bottom and top."""
    extremes = [value for point in record.train for value in (point.least, point.most)]
    return extremes + [one.val_loss for one in record.evaluations]
