"""The loss chart: a run's curves in braille, with axes, published losses to compare with, and a cursor to read values.

All lines are computed at each change of the data, the size or the cursor (in about a millisecond), and `render_line`
only returns them. `plot` draws a `RunView` into cells; `braille` does the arithmetic.
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
from tui_gpt.tui.train.chart.plot import GUTTER, Cell, Plot, steps_scale, symbol_of
from tui_gpt.tui.train.record import RunView, loss_words

_ABOVE, _BELOW = 1, 2
"""Lines above the plot (legend) and below it (axis, numbers)."""
_MIN_WIDTH, _MIN_HEIGHT = 24, 6
_WIDE = 100


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
    """A text in the middle of a plot without curves."""

    class CursorMoved(Message):
        """The cursor was put on `step`, or removed (None)."""

        def __init__(self, step: float | None) -> None:
            self.step = step
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._record = RunView()
        self._smoothed: list[tuple[int, float]] = []
        self._lines: list[Strip] | None = None

    def show(self, record: RunView) -> None:
        """Draw a record; to be called again whenever it has changed."""
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
        """Redraw with the colours of another theme."""
        super().notify_style_update()
        self._lines = None

    def render_line(self, y: int) -> Strip:
        """Return one line of the widget."""
        if self._lines is None:
            self._lines = self._drawn(self.size.width, self.size.height)
        return self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, self.rich_style)

    def _drawn(self, width: int, height: int) -> list[Strip]:
        if width < _MIN_WIDTH or height < _MIN_HEIGHT:
            return []
        rows = Plot(self._record, self._smoothed, width - GUTTER, height - _ABOVE - _BELOW, self.log_y)
        if self.cursor is not None:
            rows.put_cursor(self.cursor)
        if not self._smoothed:
            rows.put_message(self.message)
        lines = [self._heading(width), *rows.lines()]
        return [self._strip(line, width) for line in lines]

    def _heading(self, width: int) -> list[Cell]:
        """Return the name of the axis, and the legend or the values at the cursor."""
        title = "loss" if width < _WIDE else "loss in nats per character"
        title += ", log scale" if self.log_y else ""
        if self.cursor is not None and self._smoothed:
            legend = self._readout(self.cursor)
        else:
            legend = self._legend(width - len(title) - 1)
        return [(title, "title"), (" " * max(1, width - len(title) - _cells(legend)), "title"), *legend]

    def _legend(self, width: int) -> list[Cell]:
        """Return the symbols of the chart; if it fits, with the extent of the text that was validated on."""
        if not self._smoothed:
            return []
        parts: list[Cell] = [("⣿ ", "raw"), ("training  ", "title"), ("━ ", "train"), ("smoothed", "title")]
        newest = {one.is_estimate: one for one in self._record.evaluations}
        long, short = parts, parts
        for is_estimate in (False, True):
            if (evaluation := newest.get(is_estimate)) is not None:
                symbol: Cell = (f"  {symbol_of(evaluation)} ", "validation")
                name = "estimate" if is_estimate else "validation"
                short = [*short, symbol, (name, "title")]
                long = [*long, symbol, (f"{name} {self._record.extent_of(evaluation)}".rstrip(), "title")]
        return long if _cells(long) <= width else short

    def _readout(self, cursor: float) -> list[Cell]:
        """Return the values at the cursor, and what happened there."""
        point = self._record.train.at(cursor)
        evaluation = self._record.evaluation_at(cursor)
        scale = steps_scale(self._record, self.size.width - GUTTER)
        reach = (scale.high - scale.low) / max(1, self.size.width - GUTTER - 1) / 2
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
        """Return the step at a cell of the widget."""
        scale = steps_scale(self._record, self.size.width - GUTTER)
        return scale.value(min(max((x - GUTTER) / max(1, self.size.width - GUTTER - 1), 0.0), 1.0))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the cursor with the mouse."""
        if self._smoothed:
            self.cursor = self._step_at(event.x)

    def on_leave(self) -> None:
        """Remove the cursor with the mouse."""
        self.cursor = None

    def action_move(self, cells: int) -> None:
        """Move the cursor by some cells; it begins at the latest step."""
        if not self._smoothed:
            return
        width = self.size.width - GUTTER
        scale = steps_scale(self._record, width)
        newest = self._record.step
        here = newest if self.cursor is None else self.cursor + cells * (scale.high - scale.low) / max(1, width - 1)
        self.cursor = min(max(here, scale.low), newest)

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first or the latest step."""
        if self._smoothed:
            self.cursor = float(self._record.step if last else self._smoothed[0][0])

    def action_clear_cursor(self) -> None:
        """Remove the cursor."""
        self.cursor = None


def _cells(line: Sequence[Cell]) -> int:
    """Return the width of a line."""
    return sum(len(text) for text, _ in line)
