"""Lines of cells as strips for the screen, and what differs between two drawings of them."""

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from tui_gpt.tui.train.chart.canvas import Cell


def strip_of(line: Sequence[Cell], width: int, style_of: Callable[[str], Style]) -> Strip:
    """Return a line of exactly `width` cells."""
    segments: list[Segment] = []
    run, style = "", ""
    for text, name in line:
        if name != style and run:
            segments.append(Segment(run, style_of(style)))
            run = ""
        run, style = run + text, name
    if run:
        segments.append(Segment(run, style_of(style)))
    return Strip(segments).adjust_cell_length(width, style_of("axis"))


def changed_regions(old: Sequence[Strip], new: Sequence[Strip], width: int) -> list[Region]:
    """Return the parts of the screen that differ, one for each line that does."""
    regions = [_changed(y, before, after, width) for y, (before, after) in enumerate(zip(old, new, strict=False))]
    beyond = range(min(len(old), len(new)), max(len(old), len(new)))
    return [region for region in regions if region is not None] + [Region(0, y, width, 1) for y in beyond]


def _changed(y: int, old: Strip, new: Strip, width: int) -> Region | None:
    if old == new:
        return None
    first = _common(old, new, from_end=False)
    last = width - _common(old, new, from_end=True)
    return Region(first, y, max(1, last - first), 1)


def _common(old: Strip, new: Strip, *, from_end: bool) -> int:
    """Return how many cells at the beginning (or end) of two strips are equal."""
    step = -1 if from_end else 1
    cells = 0
    for before, after in zip(list(old)[::step], list(new)[::step], strict=False):
        if before == after:
            cells += before.cell_length
            continue
        if before.style == after.style:
            pairs = zip(before.text[::step], after.text[::step], strict=False)
            cells += next((k for k, (one, other) in enumerate(pairs) if one != other), 0)
        break
    return cells
