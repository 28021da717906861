"""The lines above a chart: what is drawn, or the values at the cursor."""

from collections.abc import Sequence

from tui_gpt.escaping import escape_controls
from tui_gpt.tui.text.cells import fitted
from tui_gpt.tui.train.chart.canvas import Canvas, Cell, width_of
from tui_gpt.tui.train.chart.curves import ChartSettings
from tui_gpt.tui.train.chart.overlay import OverlayRun, legend_symbol, style_name
from tui_gpt.tui.train.chart.plot import symbol_of
from tui_gpt.tui.train.chart.quantities import place_of, place_words, step_at
from tui_gpt.tui.train.chart.state import smoothing_words
from tui_gpt.tui.train.record import RunView

_WIDE = 100
_NAME_CELLS = 18
_MAX_LEGEND_LINES = 3


def title(settings: ChartSettings, width: int, *records: RunView) -> str:
    """Return the name of the y axis for some runs, and what part of them is visible."""
    quantity = settings.quantity
    parts = [quantity.title_of({one.unit for one in records}) if width >= _WIDE else quantity.short_title]
    parts += ["log scale"] if settings.log_y else []
    return ", ".join([*parts, *([settings.viewport.words] if settings.viewport.words else [])])


def _joined(left: str, right: Sequence[Cell], width: int) -> list[Cell]:
    """Return a line with one part at each end."""
    return [(left, "title"), (" " * max(1, width - len(left) - width_of(right)), "title"), *right]


def run_heading(
    record: RunView, settings: ChartSettings, width: int, cursor: float | None, canvas: Canvas
) -> list[Cell]:
    """Return the line above the chart of one run; `cursor` is a step."""
    left = title(settings, width, record)
    if not len(settings.quantity.series(record)):
        return _joined(left, [], width)
    if cursor is not None:
        readout = run_readout(record, settings, cursor, canvas)
        return _joined(left if len(left) + 1 + width_of(readout) <= width else "", readout, width)
    return _joined(left, _legend(record, settings, width - len(left) - 1), width)


def _legend(record: RunView, settings: ChartSettings, width: int) -> list[Cell]:
    """Return the symbols of the chart; if it fits, with the extent of the text that was validated on."""
    parts: list[Cell] = [] if not settings.smoothing else [("⣿ ", "raw"), ("training  ", "title")]
    parts += [("━ ", "train"), (smoothing_words(settings.smoothing), "smoothing")]
    if not settings.quantity.is_loss:
        return parts
    newest = {one.is_estimate: one for one in record.evaluations}
    long, short = parts, parts
    for is_estimate in (False, True):
        if (evaluation := newest.get(is_estimate)) is not None:
            symbol: Cell = (f"  {symbol_of(evaluation)} ", "validation")
            name = "estimate" if is_estimate else "validation"
            short = [*short, symbol, (name, "title")]
            long = [*long, symbol, (f"{name} {record.extent_of(evaluation)}".rstrip(), "title")]
    return long if width_of(long) <= width else short


def run_readout(record: RunView, settings: ChartSettings, cursor: float, canvas: Canvas) -> list[Cell]:
    """Return the values at the cursor, and what happened there."""
    quantity = settings.quantity
    series = quantity.series(record)
    reach = (canvas.x.high - canvas.x.low) / max(1, canvas.columns - 1) / 2
    place = place_of(record, cursor, settings.axis)
    parts: list[Cell] = [(f"step {cursor:,.0f}", "cursor")]
    if settings.axis != "step":
        parts += [(f"  {place_words(place, settings.axis)}", "cursor")]
    if point := series.at(cursor):
        name = "training" if quantity.is_loss else quantity.short_title
        parts += [(f"  {name} ", "title"), (quantity.words(point.mean), "train")]
    smoothed = series.line(settings.smoothing).at(cursor) if settings.smoothing else None
    if smoothed is not None:
        parts += [("  smoothed ", "title"), (quantity.words(smoothed), "train")]
    if quantity.is_loss and (evaluation := record.evaluation_at(cursor)):
        parts += [("  validation ", "title"), (quantity.validation_words(evaluation), "validation")]
    first, last = (step_at(record, max(0.0, place + way * reach), settings.axis) for way in (-1, 1))
    marks = record.marks_between(first, last)
    return parts + [(f"  {escape_controls(mark.text)}".replace("\n", " "), "mark") for mark in marks[-1:]]


def overlay_heading(
    runs: Sequence[OverlayRun], pinned: int | None, settings: ChartSettings, width: int, cursor: float | None
) -> list[list[Cell]]:
    """Return the lines above the chart of several runs: one with the title, then an entry for each run."""
    first = runs[pinned or 0].record
    place = None if cursor is None else place_of(first, cursor, settings.axis)
    right: list[Cell] = [(smoothing_words(settings.smoothing), "smoothing")]
    if place is not None:
        right = [(place_words(place, settings.axis), "cursor"), ("  ", "title"), *right]
    entries = [_entry(run, settings, place, is_pinned=k == pinned) for k, run in enumerate(runs)]
    return [_joined(title(settings, width, *(run.record for run in runs)), right, width), *_in_columns(entries, width)]


def legend_lines(count: int, width: int) -> int:
    """Return how many lines the entries of `count` runs take."""
    per_line = max(1, width // _entry_cells())
    return min(_MAX_LEGEND_LINES, -(-count // per_line))


def _entry_cells() -> int:
    return 7 + _NAME_CELLS + 9


def _entry(run: OverlayRun, settings: ChartSettings, place: float | None, *, is_pinned: bool) -> list[Cell]:
    """Return a run's symbol, name and value: at a place on the x axis, or the newest one."""
    style = style_name(run.style, is_pinned=is_pinned)
    value = overlay_value(run.record, settings, place)
    name = fitted(escape_controls(run.record.name), _NAME_CELLS)
    shown = "–" if value is None else settings.quantity.words(value)
    cells: list[Cell] = [("▸" if is_pinned else " ", style), (f"{legend_symbol(run.style)} ", style)]
    return [*cells, (f"{name} ", "cursor" if is_pinned else "title"), (f"{shown:<9}", style)]


def overlay_value(record: RunView, settings: ChartSettings, place: float | None) -> float | None:
    """Return the (smoothed) value of a run at a place on the x axis, or the newest; None beyond its last step."""
    series = settings.quantity.series(record)
    step = float(record.step) if place is None else step_at(record, place, settings.axis)
    if not len(series) or step > record.step:
        return None
    if settings.smoothing:
        return series.line(settings.smoothing).at(step)
    point = series.at(step)
    return point.mean if point else None


def _in_columns(entries: Sequence[list[Cell]], width: int) -> list[list[Cell]]:
    per_line = max(1, width // _entry_cells())
    rows = [entries[k : k + per_line] for k in range(0, len(entries), per_line)]
    return [[cell for entry in row for cell in entry] for row in rows[:_MAX_LEGEND_LINES]]
