"""The plot of one run: curve, validation losses, references and marks on a canvas."""

from collections.abc import Iterable, Sequence

from tui_gpt.events import Evaluated
from tui_gpt.tui.train.chart import braille
from tui_gpt.tui.train.chart.braille import Scale
from tui_gpt.tui.train.chart.canvas import Canvas, y_scale
from tui_gpt.tui.train.chart.curves import ChartSettings, Curve, clipped
from tui_gpt.tui.train.chart.quantities import LOSS, Quantity, place_of, x_extent
from tui_gpt.tui.train.chart.viewport import Extent
from tui_gpt.tui.train.record import Reference, RunView

_MAX_DISTANCE = 0.35
"""How far outside the measured losses, in nats or bits, a reference is still drawn."""


def extent_of(records: Iterable[RunView], settings: ChartSettings) -> Extent:
    """Return the places that a chart of these runs can show."""
    ends = [(x_extent(one, settings.axis), place_of(one, one.step, settings.axis)) for one in records]
    return Extent(max((end for end, _ in ends), default=1.0), max((newest for _, newest in ends), default=0.0))


def x_scale(extent: Extent, settings: ChartSettings, columns: int) -> Scale:
    """Return the scale of the visible part of the x axis."""
    low, high = settings.viewport.window(extent)
    return Scale(low, high, max(1, columns) * braille.DOTS_X)


def draw_run(record: RunView, settings: ChartSettings, columns: int, rows: int) -> Canvas:
    """Return the drawing of one quantity of a run."""
    x = x_scale(extent_of([record], settings), settings, columns)
    curve = Curve(record, settings, x)
    if settings.quantity.is_loss:
        canvas = _draw_loss(record, settings, curve, x, rows)
    else:
        values = curve.extremes(with_range=True)
        canvas = Canvas(x, y_scale(values, rows, log=settings.log_y, default=(0.0, 1.0)))
        _draw_curve(curve, canvas)
    for mark in record.marks:
        canvas.put_mark(place_of(record, mark.step, settings.axis), mark.symbol)
    return canvas


def _draw_curve(curve: Curve, canvas: Canvas) -> None:
    if curve.smoothed is not None:
        curve.draw_range(canvas, "raw")
    curve.draw_line(canvas, "train")


def _draw_loss(record: RunView, settings: ChartSettings, curve: Curve, x: Scale, rows: int) -> Canvas:
    evaluations = [(place_of(record, one.step, settings.axis), one) for one in record.evaluations]
    visible = [(place, one) for place, one in evaluations if x.low <= place <= x.high]
    quantity = settings.quantity
    losses = curve.extremes(with_range=True) + [quantity.validation(one) for _, one in visible]
    references = near(quantity.references(record), losses)
    canvas = Canvas(x, y_scale([*losses, *(one.loss for one in references)], rows, log=settings.log_y))
    for reference in references:
        canvas.put_level(reference.loss)
    _draw_curve(curve, canvas)
    draw_validation(canvas, evaluations, "validation", quantity)
    for reference in references:
        canvas.put_label(reference.loss, reference.label)
    return canvas


def draw_validation(
    canvas: Canvas, evaluations: Sequence[tuple[float, Evaluated]], style: str, quantity: Quantity = LOSS
) -> None:
    """Draw validation losses, given their places on the x axis, and lines between them."""
    places, losses = [place for place, _ in evaluations], [quantity.validation(one) for _, one in evaluations]
    raster = canvas.raster()
    braille.draw_path(raster, braille.path(*clipped(places, losses, canvas.x.low, canvas.x.high), canvas.x, canvas.y))
    canvas.put_raster(raster, style)
    for (place, one), loss in zip(evaluations, losses, strict=True):
        if canvas.is_visible(place):
            canvas.put(canvas.row(loss), canvas.column(place), symbol_of(one), style)


def symbol_of(evaluation: Evaluated) -> str:
    """Return the symbol of an evaluation: a filled dot is the loss of record, a hollow one an estimate."""
    return "○" if evaluation.is_estimate else "●"


def near(references: Sequence[Reference], losses: Sequence[float]) -> list[Reference]:
    """Return the references close to the losses; all of them while there are no losses."""
    if not losses:
        return list(references)
    low, high = min(losses) - _MAX_DISTANCE, max(losses) + _MAX_DISTANCE
    return [one for one in references if low <= one.loss <= high]
