"""Several runs in one chart: a colour and a line style for each, with the pinned one on top."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from tui_gpt.tui.train.chart import braille
from tui_gpt.tui.train.chart.canvas import Canvas, y_scale
from tui_gpt.tui.train.chart.curves import ChartSettings, Curve
from tui_gpt.tui.train.chart.plot import draw_validation, extent_of, symbol_of, x_scale
from tui_gpt.tui.train.chart.quantities import place_of
from tui_gpt.tui.train.record import RunView

MAX_RUNS = 6
PATTERNS = ("1", "111100", "100", "1111000100", "1111110000", "1100")
"""The dots of each line style that are drawn, along the line."""


@dataclass(frozen=True)
class OverlayRun:
    """A run in an overlay."""

    record: RunView
    style: int
    """Its colour and line style, 0 to 5."""


def style_name(style: int, *, is_pinned: bool = False) -> str:
    """Return the name of the colour of a run."""
    return f"run-{style}-pinned" if is_pinned else f"run-{style}"


def draw_overlay(
    runs: Sequence[OverlayRun], pinned: int | None, settings: ChartSettings, columns: int, rows: int
) -> Canvas:
    """Return the drawing of one quantity of several runs; `pinned` is an index into `runs`."""
    x = x_scale(extent_of([run.record for run in runs], settings), settings, columns)
    curves = [Curve(run.record, settings, x) for run in runs]
    values = [value for k, curve in enumerate(curves) for value in curve.extremes(with_range=k == pinned)]
    losses = [loss for run in runs for loss in _visible_losses(run.record, settings, x)]
    canvas = Canvas(x, y_scale([*values, *losses], rows, log=settings.log_y))
    if pinned is not None and settings.smoothing:
        curves[pinned].draw_range(canvas, "raw")
    order = [k for k in range(len(runs)) if k != pinned] + ([] if pinned is None else [pinned])
    for k in order:
        _draw_one(canvas, runs[k], curves[k], settings, is_pinned=k == pinned)
    return canvas


def _visible_losses(record: RunView, settings: ChartSettings, x: braille.Scale) -> list[float]:
    """Return the validation losses on the visible part of the x axis."""
    if not settings.quantity.is_loss:
        return []
    axis = settings.axis
    visible = (one for one in record.evaluations if x.low <= place_of(record, one.step, axis) <= x.high)
    return [settings.quantity.validation(one) for one in visible]


def _draw_one(canvas: Canvas, run: OverlayRun, curve: Curve, settings: ChartSettings, *, is_pinned: bool) -> None:
    style = style_name(run.style, is_pinned=is_pinned)
    curve.draw_line(canvas, style, PATTERNS[run.style], thick=is_pinned)
    if not settings.quantity.is_loss:
        return
    evaluations = [(place_of(run.record, one.step, settings.axis), one) for one in run.record.evaluations]
    if is_pinned:
        draw_validation(canvas, evaluations, style, settings.quantity)
        return
    for place, one in evaluations:
        if canvas.is_visible(place):
            canvas.put(canvas.row(settings.quantity.validation(one)), canvas.column(place), symbol_of(one), style)


@functools.cache
def legend_symbol(style: int, cells: int = 5) -> str:
    """Return a piece of a run's line."""
    raster = braille.Raster(cells, 1)
    braille.draw_path(raster, [(0, 1), (cells * braille.DOTS_X - 1, 1)], PATTERNS[style])
    return "".join(braille.character(raster.mask(0, column)) for column in range(cells))
