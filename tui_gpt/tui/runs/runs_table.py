"""The table of the Runs tab: the columns that fit, the order in the heading, and the marks of compared runs.

Only the visible rows are made, so that hundreds of runs cost no more than a screen of them; Textual's DataTable
measures every cell of every row whenever its content is replaced.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_gpt.storage.runs import RunSummary
from tui_gpt.tui.keys import key_binding, keymap_of
from tui_gpt.tui.runs.columns import PADDING, Column, fitting
from tui_gpt.tui.runs.marks import MAX_MARKS
from tui_gpt.tui.runs.order import Order
from tui_gpt.tui.text.cells import fitted
from tui_gpt.tui.train.chart.overlay import legend_symbol

_MARK_CELLS = 4
_NO_MATCH = "    no run has these words: {runs.clear} shows all runs"
_MESSAGE_LINE = 2
_AGE_SECONDS = 60.0
"""The ages on screen are this old at most."""


class RunsTable(ScrollView, can_focus=True):
    """Runs, one per row below a heading, and a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("runs-table--heading", "runs-table--cursor", "runs-table--blurred-cursor", "runs-table--note"),
        *(f"runs-table--run-{style}" for style in range(MAX_MARKS)),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("runs.open", "open", "Open", show=False),
        key_binding("runs.above", "move(-1)", "Previous run", show=False),
        key_binding("runs.below", "move(1)", "Next run", show=False),
        key_binding("runs.page_up", "move_page(-1)", "Page up", show=False),
        key_binding("runs.page_down", "move_page(1)", "Page down", show=False),
        key_binding("runs.first", "move(-1_000_000)", "First run", show=False),
        key_binding("runs.last", "move(1_000_000)", "Last run", show=False),
    ]

    cursor = reactive(0)
    """The row of the cursor."""

    class Opened(Message):
        """Enter was pressed, or the row under the cursor clicked."""

    class CursorMoved(Message):
        """The cursor is on another run."""

    class MarkPressed(Message):
        """The mark of the row under the cursor was clicked."""

    class HeadingPressed(Message):
        """The heading of a column was clicked."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: Sequence[RunSummary] = ()
        self._styles: Mapping[str, int] = {}
        self._order = Order()
        self._now = 0.0

    @property
    def row_count(self) -> int:
        """The number of runs."""
        return len(self._runs)

    @property
    def current(self) -> RunSummary | None:
        """The run under the cursor."""
        return self._runs[self.cursor] if self.cursor < len(self._runs) else None

    def cells_at(self, row: int) -> dict[str, str]:
        """Return the words of a row by the keys of the visible columns."""
        return {column.key: column.words(self._runs[row], self._now) for column, _ in self._layout}

    @property
    def _layout(self) -> list[tuple[Column, int]]:
        return fitting(self.size.width - _MARK_CELLS + PADDING)

    # What is shown

    def show(self, runs: Sequence[RunSummary], styles: Mapping[str, int], order: Order, now: float) -> None:
        """Show these runs in this order; the cursor stays on its run. `now` is in seconds since 1970."""
        before = (self._runs, self._styles, self._order)
        if before == (runs, styles, order) and now - self._now < _AGE_SECONDS:
            return
        name = self.current.name if self.current else None
        self._runs, self._styles, self._order, self._now = list(runs), dict(styles), order, now
        self.virtual_size = Size(0, len(runs) + 1)
        places = {run.name: row for row, run in enumerate(runs)}
        self.cursor = places.get(name or "", min(self.cursor, max(0, len(runs) - 1)))
        self._scroll_to_cursor()
        self.refresh()

    def go_to(self, name: str) -> None:
        """Move the cursor to a run, if it is shown."""
        self.cursor = next((row for row, run in enumerate(self._runs) if run.name == name), self.cursor)

    def watch_cursor(self) -> None:
        self._scroll_to_cursor()
        self.refresh()
        self.post_message(self.CursorMoved())

    def _scroll_to_cursor(self) -> None:
        rows = max(1, self.size.height - 1)
        first = min(self.scroll_offset.y, self.cursor)
        first = max(first, self.cursor - rows + 1)
        if first != self.scroll_offset.y:
            self.scroll_to(y=first, animate=False, force=True)

    def on_resize(self) -> None:
        """Keep the cursor visible."""
        self._scroll_to_cursor()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return the heading, or a row."""
        width = self.size.width
        row = y - 1 + self.scroll_offset.y
        if y == 0:
            segments = self._heading()
        elif row < len(self._runs):
            segments = self._row(row)
        elif y == _MESSAGE_LINE and not self._runs:
            segments = [Segment(fitted(keymap_of(self).fill(_NO_MATCH), width), self.rich_style)]
        else:
            return Strip.blank(width, self.rich_style)
        return Strip(segments).adjust_cell_length(width, segments[-1].style)

    def _heading(self) -> list[Segment]:
        style = self.get_component_rich_style("runs-table--heading")
        segments = [Segment(" " * _MARK_CELLS, style)]
        for column, width in self._layout:
            title = f"{column.title} {self._order.arrow}" if column.key == self._order.key else column.title
            segments += [Segment(fitted(title, width, to_the_right=column.to_the_right) + " " * PADDING, style)]
        return segments

    def _row(self, row: int) -> list[Segment]:
        run, base = self._runs[row], self._row_style(row)
        mark = self._styles.get(run.name)
        segments = [Segment(" " * _MARK_CELLS, base)]
        if mark is not None:
            colour = self.get_component_rich_style(f"runs-table--run-{mark}", partial=True)
            segments = [Segment(f"{legend_symbol(mark, _MARK_CELLS - 1)} ", base + colour)]
        for column, width in self._layout:
            words = fitted(column.words(run, self._now), width, to_the_right=column.to_the_right)
            segments.append(Segment(words + " " * PADDING, base))
        return segments

    def _row_style(self, row: int) -> Style:
        if row != self.cursor:
            return self.rich_style
        name = "cursor" if self.has_focus else "blurred-cursor"
        return self.rich_style + self.get_component_rich_style(f"runs-table--{name}", partial=True)

    # Keys and the mouse

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.cursor = min(max(0, self.cursor + rows), max(0, len(self._runs) - 1))

    def action_move_page(self, pages: int) -> None:
        """Move the cursor by some screens."""
        self.action_move(pages * max(1, self.size.height - 2))

    def action_open(self) -> None:
        """Open the run under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Sort by a heading, mark at the left edge, move the cursor, or open the run under it."""
        if event.y == 0:
            self._press_heading(event.x)
            return
        row = event.y - 1 + self.scroll_offset.y
        if row >= len(self._runs):
            return
        was_here, self.cursor = row == self.cursor, row
        if event.x < _MARK_CELLS:
            self.post_message(self.MarkPressed())
        elif was_here:
            self.action_open()

    def _press_heading(self, x: int) -> None:
        right = _MARK_CELLS
        for column, width in self._layout:
            right += width + PADDING
            if x < right:
                self.post_message(self.HeadingPressed(column.key))
                return
