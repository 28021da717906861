"""Curves of a `Series` on a canvas: the range of the values in each column, and a smoothed line, with gaps."""

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tui_gpt.tui.train.chart import braille
from tui_gpt.tui.train.chart.braille import Raster, Scale
from tui_gpt.tui.train.chart.canvas import Canvas
from tui_gpt.tui.train.chart.quantities import LOSS, Quantity, XAxis
from tui_gpt.tui.train.chart.viewport import WHOLE, Viewport
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.series import DEFAULT_SMOOTHING, Line, Series


@dataclass(frozen=True)
class ChartSettings:
    """How a chart is drawn."""

    axis: XAxis = "step"
    smoothing: float = DEFAULT_SMOOTHING
    """The averaging window as a fraction of a curve's values; 0 for none."""
    log_y: bool = False
    quantity: Quantity = LOSS
    viewport: Viewport = WHOLE


Columns = tuple[Sequence[float], Sequence[float]]
"""Places on the x axis, and values."""
_layers: WeakKeyDictionary[Series, dict[object, tuple[object, Raster]]] = WeakKeyDictionary()
"""What was drawn last of each curve. Of several runs on a chart, usually one has changed at most."""


class Curve:
    """One quantity of one run within the visible part of the x axis."""

    def __init__(self, record: RunView, settings: ChartSettings, x: Scale, quantity: Quantity | None = None) -> None:
        self.series: Series = (quantity or settings.quantity).series(record)
        self._by_seconds = settings.axis == "seconds"
        unit = record.characters_per_step if settings.axis == "characters" else 1
        self._x = Scale(x.low / unit, x.high / unit, x.dots)
        """In steps or seconds."""
        self.buckets = self._visible()
        smoothing = settings.smoothing
        line = self.series.line(smoothing) if smoothing else None
        self._smoothing = smoothing
        self.smoothed = None if line is None else self._clipped(line)
        """The places and values of the smoothed line; None without smoothing."""

    def _visible(self) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
        low, high = self._x.low, self._x.high
        found = self.series.buckets(low, high, self._x.dots, by_seconds=self._by_seconds)
        places = found.places(by_seconds=self._by_seconds)
        first = 1 if len(places) > 1 and places[0] < low else 0
        last = len(places) - 1 if len(places) - first > 1 and places[-1] > high and places[-2] >= high else len(places)
        return places[first:last], found.mins[first:last], found.maxs[first:last]

    def _clipped(self, line: Line) -> Columns:
        return clipped(line.places(by_seconds=self._by_seconds), line.values, self._x.low, self._x.high)

    def extremes(self, *, with_range: bool) -> list[float]:
        """Return the smallest and the largest visible value."""
        _, mins, maxs = self.buckets
        if with_range or self.smoothed is None:
            return [min(mins), max(maxs)] if len(mins) else []
        values = self.smoothed[1]
        return [min(values), max(values)] if len(values) else []

    def _gaps(self) -> set[int]:
        places = [self.series.seconds_at(gap) if self._by_seconds else gap for gap in self.series.gaps]
        return {self._x.dot(place) for place in places if self._x.low <= place <= self._x.high}

    def draw_range(self, canvas: Canvas, style: str) -> None:
        """Draw the smallest to the largest value of each column."""
        canvas.put_raster(self._layer(canvas, "range", lambda: self._range_raster(canvas)), style)

    def _range_raster(self, canvas: Canvas) -> Raster:
        raster = canvas.raster()
        columns = braille.spans(*self.buckets, self._x, canvas.y)
        for column in braille.without_neighbours(self._gaps()):
            columns.pop(column, None)
        braille.draw_spans(raster, columns)
        return raster

    def draw_line(self, canvas: Canvas, style: str, pattern: str = "1", *, thick: bool = False) -> None:
        """Draw the smoothed line; without smoothing, the range of each column."""
        line = self.smoothed
        if line is None:
            self.draw_range(canvas, style)
            return
        key = (self._smoothing, pattern, thick)
        canvas.put_raster(self._layer(canvas, key, lambda: self._line_raster(canvas, line, pattern, thick)), style)

    def _line_raster(self, canvas: Canvas, line: Columns, pattern: str, thick: bool) -> Raster:
        raster = canvas.raster()
        for part in braille.split(braille.path(*line, self._x, canvas.y), self._gaps()):
            braille.draw_path(raster, part, pattern)
            if thick:
                braille.draw_path(raster, [(x, y + 1) for x, y in part], pattern)
        return raster

    def _layer(self, canvas: Canvas, kind: object, draw: Callable[[], Raster]) -> Raster:
        """Return the dots of this curve as they were last drawn with the same values and scales, or draw them."""
        key = (self.series.version, self._by_seconds, self._x, canvas.y)
        layers = _layers.setdefault(self.series, {})
        before = layers.get(kind)
        if before is None or before[0] != key:
            before = layers[kind] = key, draw()
        return before[1]


def clipped(places: Sequence[float], values: Sequence[float], low: float, high: float) -> Columns:
    """Return the part of a line of straight segments from `low` to `high`, cut where it crosses them."""
    first, last = bisect.bisect_left(places, low), bisect.bisect_right(places, high)
    xs, ys = list(places[first:last]), list(values[first:last])
    if first > 0 and first < len(places):
        xs.insert(0, low)
        ys.insert(0, _crossing(places, values, first, low))
    if 0 < last < len(places):
        xs.append(high)
        ys.append(_crossing(places, values, last, high))
    return xs, ys


def _crossing(places: Sequence[float], values: Sequence[float], right: int, place: float) -> float:
    """Return the value at `place`, between the points before and at index `right`."""
    x0, x1 = places[right - 1], places[right]
    return values[right - 1] + (values[right] - values[right - 1]) * (place - x0) / (x1 - x0 or 1.0)
