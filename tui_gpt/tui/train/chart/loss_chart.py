"""The chart: curves of one run or several in braille, with axes, losses to compare with, and a cursor to read values.

All lines are computed at each change of the data, the size, the settings or the cursor, and only the parts of the
screen that differ are drawn. `plot` and `overlay` draw runs into cells, `state` holds what the user has chosen to see.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive

from tui_gpt.tui.keys import key_binding, title_of
from tui_gpt.tui.train.chart.canvas import GUTTER, Canvas, Cell
from tui_gpt.tui.train.chart.curves import ChartSettings
from tui_gpt.tui.train.chart.drawn_widget import DrawnWidget
from tui_gpt.tui.train.chart.legend import legend_lines, overlay_heading, run_heading
from tui_gpt.tui.train.chart.overlay import MAX_RUNS, OverlayRun, draw_overlay, style_name
from tui_gpt.tui.train.chart.plot import draw_run, extent_of, x_scale
from tui_gpt.tui.train.chart.quantities import place_of, step_at
from tui_gpt.tui.train.chart.state import CHART_ACTIONS, ChartState
from tui_gpt.tui.train.record import RunView

_BELOW = 2
"""Lines below the plot: axis and numbers."""
_MIN_WIDTH, _MIN_HEIGHT = 24, 6


class LossChart(DrawnWidget, can_focus=True):
    """Training and validation loss over steps, characters or seconds, in nats per character; or another value."""

    STYLE_PREFIX = "loss-chart"
    CLICKS: ClassVar[Mapping[str, str]] = {"x-title": "chart('axis')", "smoothing": "chart('smoother')"}
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"loss-chart--{name}" for name in ("axis", "title", "raw", "train", "validation", "reference", "label")),
        *(f"loss-chart--{name}" for name in ("mark", "cursor", "message", "x-title", "smoothing")),
        *(f"loss-chart--{style_name(k, is_pinned=pinned)}" for k in range(MAX_RUNS) for pinned in (False, True)),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("chart.back", "move(-1)", "Read values", show=False),
        key_binding("chart.forward", "move(1)", "Read values", show=False),
        key_binding("chart.far_back", "move(-10)", "Read values", show=False),
        key_binding("chart.far_forward", "move(10)", "Read values", show=False),
        key_binding("chart.first", "edge(0)", "First value", show=False),
        key_binding("chart.latest", "edge(1)", "Last value", show=False),
        key_binding("chart.stop_reading", "clear_cursor", "Hide the cursor", show=False),
        *(
            key_binding(f"chart.{name}", f"chart('{name}')", title_of(f"chart.{name}"), show=False)
            for name in CHART_ACTIONS
        ),
    ]

    log_y = reactive(False)
    cursor: reactive[float | None] = reactive(None)
    """The step whose values are read, or None; of several runs, a step of the pinned one."""
    message = reactive("")
    """A text in the middle of a plot without curves."""

    class CursorMoved(Message):
        """The cursor was put on `step`, or removed (None)."""

        def __init__(self, step: float | None) -> None:
            self.step = step
            super().__init__()

    class ViewChanged(Message):
        """The user has chosen another x axis, window, smoothing or value."""

        def __init__(self, settings: ChartSettings) -> None:
            self.settings = settings
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = ChartState()
        self._runs: tuple[OverlayRun, ...] = (OverlayRun(RunView(), 0),)
        self._pinned: int | None = None
        self._is_overlay = False
        self._key: tuple[object, ...] = ()
        """What the present drawing shows."""

    # What is shown

    @property
    def settings(self) -> ChartSettings:
        """The x axis, window, smoothing and value that are shown."""
        return self._state.settings

    @property
    def _records(self) -> list[RunView]:
        """The runs on the chart, the one that the cursor belongs to first."""
        first = self._pinned or 0
        return [self._runs[first].record, *(run.record for k, run in enumerate(self._runs) if k != first)]

    @property
    def _has_values(self) -> bool:
        return any(len(self.settings.quantity.series(record)) for record in self._records)

    def show(self, record: RunView) -> None:
        """Draw a run; to be called again whenever it has changed."""
        self._show((OverlayRun(record, 0),), None, is_overlay=False)

    def show_overlay(self, runs: Sequence[OverlayRun], pinned: int | None = None) -> None:
        """Draw two to six runs in one chart; the one at index `pinned` is emphasised and drawn on top.

        Raises ValueError for another number of runs.
        """
        if not 2 <= len(runs) <= MAX_RUNS:
            raise ValueError(f"an overlay shows 2 to {MAX_RUNS} runs, not {len(runs)}")
        self._show(tuple(runs), pinned, is_overlay=True)

    def _show(self, runs: tuple[OverlayRun, ...], pinned: int | None, *, is_overlay: bool) -> None:
        shown = tuple((id(run.record), run.style, run.record.version, run.record.phase) for run in runs)
        key = (shown, pinned, is_overlay)
        self._runs, self._pinned, self._is_overlay = runs, pinned, is_overlay
        if key != self._key:
            self._key = key
            self.redraw_paced()

    def watch_log_y(self) -> None:
        self._state.set_log(self.log_y)
        self.redraw()

    def watch_message(self) -> None:
        self.redraw()

    def watch_cursor(self) -> None:
        self.redraw()
        self.post_message(self.CursorMoved(self.cursor))

    # Drawing

    def cells_of(self, width: int, height: int) -> list[list[Cell]]:
        """Return all lines of a chart of that size."""
        if width < _MIN_WIDTH or height < _MIN_HEIGHT:
            return []
        columns, above = width - GUTTER, 1
        if self._is_overlay:
            above += min(legend_lines(len(self._runs), width), max(0, height - _MIN_HEIGHT))
        canvas = self._canvas(columns, height - above - _BELOW)
        heading = self._heading(width, canvas)[:above]
        return [*heading, *canvas.plot_lines(max(3, canvas.rows // 3)), canvas.x_labels(self.settings.axis)]

    def _canvas(self, columns: int, rows: int) -> Canvas:
        if self._is_overlay:
            canvas = draw_overlay(self._runs, self._pinned, self.settings, columns, rows)
        else:
            canvas = draw_run(self._records[0], self.settings, columns, rows)
        if self.cursor is not None:
            canvas.put_cursor(place_of(self._records[0], self.cursor, self.settings.axis))
        if not self._has_values:
            canvas.put_message(self.message)
        return canvas

    def _heading(self, width: int, canvas: Canvas) -> list[list[Cell]]:
        if self._is_overlay:
            return overlay_heading(self._runs, self._pinned, self.settings, width, self.cursor)
        return [run_heading(self._records[0], self.settings, width, self.cursor, canvas)]

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the keys of a chart that cannot get the focus: the preview beside the form."""
        del action, parameters
        return self.can_focus

    def action_chart(self, name: str) -> None:
        """Perform one of `CHART_ACTIONS`."""
        place = None if self.cursor is None else place_of(self._records[0], self.cursor, self.settings.axis)
        self._perform(name, place)

    def choose(self, settings: ChartSettings) -> None:
        """Draw with other settings."""
        self._state.settings = settings
        self.redraw()

    def _perform(self, name: str, place: float | None) -> None:
        before = self.settings
        self._state.perform(name, self._records, place)
        if self.settings != before:
            self.redraw()
            self.post_message(self.ViewChanged(self.settings))

    def _place_at(self, x: int) -> float:
        """Return the place on the x axis at a cell of the widget."""
        columns = self.size.width - GUTTER
        scale = x_scale(extent_of(self._records, self.settings), self.settings, columns)
        return scale.value(min(max((x - GUTTER) / max(1, columns - 1), 0.0), 1.0))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the cursor with the mouse."""
        if self._has_values:
            self.cursor = step_at(self._records[0], self._place_at(event.x), self.settings.axis)

    def on_leave(self) -> None:
        """Remove the cursor with the mouse."""
        self.cursor = None

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in at the mouse."""
        event.stop()
        self._perform("zoom_in", self._place_at(event.x))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out at the mouse."""
        event.stop()
        self._perform("zoom_out", self._place_at(event.x))

    def action_move(self, cells: int) -> None:
        """Move the cursor by some cells; it begins at the latest visible step."""
        if not self._has_values:
            return
        first, axis, columns = self._records[0], self.settings.axis, self.size.width - GUTTER
        scale = x_scale(extent_of(self._records, self.settings), self.settings, columns)
        newest = min(place_of(first, first.step, axis), scale.high)
        here = newest
        if self.cursor is not None:
            here = place_of(first, self.cursor, axis) + cells * (scale.high - scale.low) / max(1, columns - 1)
        self.cursor = step_at(first, min(max(here, scale.low), newest), axis)

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first or the latest step."""
        points = list(self.settings.quantity.series(self._records[0]).line().steps[:1])
        if points:
            self.cursor = float(self._records[0].step if last else points[0])

    def action_clear_cursor(self) -> None:
        """Remove the cursor."""
        self.cursor = None
