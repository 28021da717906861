"""Learning rate, gradient norm and speed as small charts in a row, with the x axis and the cursor of the big one."""

from typing import ClassVar

from textual.reactive import reactive

from tui_gpt.tui.train.chart.canvas import Canvas, Cell, y_scale
from tui_gpt.tui.train.chart.curves import ChartSettings, Curve
from tui_gpt.tui.train.chart.drawn_widget import DrawnWidget
from tui_gpt.tui.train.chart.plot import extent_of, x_scale
from tui_gpt.tui.train.chart.quantities import GRAD_NORM, LEARNING_RATE, SPEED, Quantity, place_of
from tui_gpt.tui.train.record import RunView

_SHOWN = (LEARNING_RATE, GRAD_NORM, SPEED)
_GAP = 3
_MIN_COLUMNS = 12


class SmallCharts(DrawnWidget):
    """Three charts side by side: a line with name and value over each plot."""

    STYLE_PREFIX = "small-charts"
    PACE_SECONDS = 1.0
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"small-charts--{name}" for name in ("axis", "title", "raw", "train", "cursor")
    }

    cursor: reactive[float | None] = reactive(None)
    """The step whose values are shown; None for the newest."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._record = RunView()
        self._settings = ChartSettings()
        self._key: tuple[object, ...] = ()

    def show(self, record: RunView, settings: ChartSettings) -> None:
        """Draw a run with the x axis, window and smoothing of the big chart."""
        key = (id(record), record.version, record.phase, settings)
        is_by_user = settings != self._settings
        self._record, self._settings = record, settings
        if key != self._key:
            self._key = key
            (self.redraw if is_by_user else self.redraw_paced)()

    def watch_cursor(self) -> None:
        self.redraw()

    def cells_of(self, width: int, height: int) -> list[list[Cell]]:
        """Return the lines of all three."""
        columns = (width - _GAP * (len(_SHOWN) - 1)) // len(_SHOWN)
        if columns < _MIN_COLUMNS or height < 2:
            return []
        charts = [small_chart(self._record, one, self._settings, (columns, height), self.cursor) for one in _SHOWN]
        gap: Cell = (" " * _GAP, "axis")
        rows = zip(*charts, strict=True)
        return [[cell for line in row for cell in (*line, gap)][:-1] for row in rows]


def small_chart(
    record: RunView, quantity: Quantity, settings: ChartSettings, size: tuple[int, int], cursor: float | None
) -> list[list[Cell]]:
    """Return the lines of one chart of (columns, lines), the first one with the value at the cursor or the newest."""
    columns, height = size
    x = x_scale(extent_of([record], settings), settings, columns)
    curve = Curve(record, settings, x, quantity)
    canvas = Canvas(x, y_scale(curve.extremes(with_range=True), height - 1, log=False, default=(0.0, 1.0)))
    if curve.smoothed is not None:
        curve.draw_range(canvas, "raw")
    curve.draw_line(canvas, "train")
    if cursor is not None:
        canvas.put_cursor(place_of(record, cursor, settings.axis))
    point = quantity.series(record).at(record.step if cursor is None else cursor)
    value = quantity.words(point.mean) if point else "–"
    return [_heading(quantity.short_title, value, columns, is_cursor=cursor is not None), *_rows(canvas)]


def _heading(name: str, value: str, columns: int, *, is_cursor: bool) -> list[Cell]:
    shown = f"{name} "[: columns - len(value)]
    style = "cursor" if is_cursor else "train"
    return [(shown, "title"), (value, style), (" " * (columns - len(shown) - len(value)), "title")]


def _rows(canvas: Canvas) -> list[list[Cell]]:
    return [[cells.get(column, (" ", "axis")) for column in range(canvas.columns)] for cells in canvas.cells]
