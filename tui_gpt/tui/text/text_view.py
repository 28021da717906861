"""A long column of text that grows at its end: wrapped, scrolled, and equally fast at any length.

The view is a stack of blocks. A block knows how many rows it has at a given width and how to draw each of them. Only
rows on screen are drawn, drawn rows are cached, and growth invalidates the last rows only, so appending costs the same
after a hundred thousand characters as after ten. The view follows the end of the text only while the end is in sight.
Markup is never parsed: a model's text is shown character by character.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from tui_gpt.tui.text.passage import Look
from tui_gpt.tui.textual_internals import StripView

TAIL_ROWS = 2
"""The view follows the end while at most this many rows lie below the screen."""

_MAX_CACHED_STRIPS = 2_000


class Block(Protocol):
    """Something that a TextView shows as rows."""

    def height(self, width: int) -> int:
        """Return the number of rows when each is `width` cells wide."""

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """Return the segments of one row, at most `width` cells wide."""


class TextView(StripView, can_focus=True):
    """A stack of blocks, of which the last may grow."""

    TONES: ClassVar[tuple[str, ...]] = ()
    """The tones that blocks may use: component classes `text-view--TONE`."""

    class Pressed(Message):
        """The mouse was pressed on a row of a block."""

        def __init__(self, index: int, row: int, column: int) -> None:
            self.index, self.row, self.column = index, row, column
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: list[Block] = []
        self._tops: list[int] = [0]
        """The first row of each block, and the number of all rows."""
        self._measured_width = 0
        self._strips: dict[int, Strip] = {}
        self._looks: dict[str, Style] = {}

    # Content

    @property
    def blocks(self) -> Sequence[Block]:
        """The blocks from top to bottom."""
        return self._blocks

    @property
    def total_rows(self) -> int:
        """The number of rows of all blocks."""
        return self._tops[-1]

    def span_of(self, index: int) -> tuple[int, int]:
        """Return the first row of a block and the row after its last."""
        return self._tops[index], self._tops[index + 1]

    def show(self, blocks: Iterable[Block]) -> None:
        """Replace the blocks."""
        self._blocks = list(blocks)
        self.reflow()

    def add(self, block: Block) -> None:
        """Append a block."""
        self._blocks.append(block)
        self.grown(len(self._blocks) - 1)

    def grown(self, index: int, row: int = 0) -> None:
        """Redraw block `index`, which changed from its row `row` on; follow the end if it is in sight."""
        at_tail = self.at_tail
        first = self._tops[index] + row
        self._measure(index)
        for stale in [y for y in self._strips if y >= first]:
            del self._strips[stale]
        self.resize_content(self.total_rows)
        self.move_thumb(self.max_scroll_y if at_tail else self.scroll_y)
        if at_tail:
            self.follow()
        self._refresh_below(first)

    def reflow(self) -> None:
        """Measure and redraw all blocks."""
        at_tail = self.at_tail
        self._measure(0)
        self._strips.clear()
        self.resize_content(self.total_rows)
        if at_tail:
            self.follow()
        self.vertical_scrollbar.refresh()
        self.refresh()

    def redraw(self, index: int | None = None) -> None:
        """Redraw a block whose height has not changed, or all blocks."""
        rows = range(self.total_rows) if index is None else range(*self.span_of(index))
        for stale in [y for y in self._strips if y in rows]:
            del self._strips[stale]
        self.refresh()

    # Scrolling

    @property
    def at_tail(self) -> bool:
        """Whether the end is in sight, or nearly."""
        return self.scroll_y >= self.max_scroll_y - TAIL_ROWS

    def follow(self) -> None:
        """Scroll to the end."""
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def reveal(self, index: int, row: int = 0, rows: int = 1) -> None:
        """Scroll as little as possible to show `rows` rows of a block from `row` on, giving the first one priority."""
        top = self._tops[index] + row
        height = max(1, self.scrollable_content_region.height)
        y = self.scroll_y
        if top + rows > y + height:
            y = top + rows - height
        self.scroll_to(y=min(y, top), animate=False, force=True)

    def block_at(self, y: int) -> tuple[int, int]:
        """Return the block at a row of the content, and the row within the block."""
        index = min(bisect_right(self._tops, y), len(self._blocks)) - 1
        return index, y - self._tops[index]

    # Drawing

    def first_row(self) -> int:
        """Return the row at the top of the screen; Textual may ask before it has sent the resize event."""
        if self.row_width != self._measured_width:
            self._measure(0)
            self._strips.clear()
        return super().first_row()

    def strip(self, row: int) -> Strip:
        """Return a row from the cache, or draw it."""
        strip = self._strips.get(row)
        if strip is None:
            strip = self._draw(row)
            if len(self._strips) >= _MAX_CACHED_STRIPS:
                self._strips.clear()
            self._strips[row] = strip
        return strip

    def on_resize(self, event: events.Resize) -> None:
        """Wrap the text to the new width."""
        del event
        self.reflow()

    def on_click(self, event: events.Click) -> None:
        """Post which row was pressed."""
        y = event.y + round(self.scroll_offset.y)
        if self._blocks and 0 <= y < self.total_rows:
            index, row = self.block_at(y)
            self.post_message(self.Pressed(index, row, event.x))

    def notify_style_update(self) -> None:
        """Look up every colour again: the theme or the widget's state changed."""
        super().notify_style_update()
        self._looks.clear()
        self._strips.clear()

    def look(self, tone: str) -> Style:
        """Return the style of a tone."""
        style = self._looks.get(tone)
        if style is None:
            known = f"text-view--{tone}" if tone in self.TONES else None
            style = self.get_component_rich_style(known) if known else self.rich_style
            self._looks[tone] = style
        return style

    def _draw(self, y: int) -> Strip:
        width, base = self.row_width, self.rich_style
        if not 0 <= y < self.total_rows:
            return Strip.blank(width, base)
        index, row = self.block_at(y)
        segments = list(self._blocks[index].draw(row, width, self.look))
        strip = Strip(segments, sum(cell_len(segment.text) for segment in segments)).adjust_cell_length(width, base)
        for line_filter in self.app.get_line_filters():
            strip = strip.apply_filter(line_filter, self.background_colors[1])
        return strip

    def _refresh_below(self, row: int) -> None:
        """Redraw the rows from `row` on that are on screen."""
        y = max(0, row - round(self.scroll_offset.y))
        if y < self.size.height:
            self.refresh(Region(0, y, self.size.width, self.size.height - y))

    def _measure(self, index: int) -> None:
        """Compute the first rows of the blocks after `index`, or of all blocks if the width has changed."""
        width = self.row_width
        if width != self._measured_width:
            self._measured_width, index = width, 0
        top = self._tops[index]
        del self._tops[index + 1 :]
        for block in self._blocks[index:]:
            top += block.height(width)
            self._tops.append(top)
