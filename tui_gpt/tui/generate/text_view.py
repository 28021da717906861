"""A long column of text that grows at its end: wrapped, scrolled, and cheap however long it is.

The view stacks blocks, and each block knows how many rows it has at a width and how to draw one of them. Only rows on
screen are ever drawn, drawn rows are kept, and growth touches the last rows alone, so one more burst costs the same
after a hundred thousand characters as after ten. The tail is followed only by who is looking at it. No markup is parsed
anywhere: what a model writes is shown character by character.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import ClassVar, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from tui_gpt.tui.generate.wrap import Wrapped, glyphs

TAIL_ROWS = 2
"""How far from the end one may be and still be taken along."""

_KEPT_STRIPS = 2_000

Look = Callable[[str], Style]
"""The style of a tone, e.g. `prompt` or `meta`."""


class Block(Protocol):
    """Something that a TextView shows as rows."""

    def height(self, width: int) -> int:
        """The number of rows when each is `width` cells wide."""

    def draw(self, row: int, width: int, look: Look) -> Sequence[Segment]:
        """The segments of one row, at most `width` cells wide."""


class Passage:
    """A text with a tone for each character, and perhaps a cursor on one of them: the body of a block."""

    def __init__(self) -> None:
        self._wrapped = Wrapped()
        self._tones = bytearray()
        self._names: list[str] = []
        self.cursor: int | None = None

    def __len__(self) -> int:
        return len(self._tones)

    @property
    def shown(self) -> str:
        """The text as it is drawn."""
        return self._wrapped.text

    @property
    def rows(self) -> Wrapped:
        """Where each character is."""
        return self._wrapped

    def clear(self) -> None:
        """Begin anew with no text."""
        self._wrapped = Wrapped("", self._wrapped.width)
        self._tones.clear()
        self.cursor = None

    def append(self, text: str, tone: str) -> int:
        """Let the text grow; the first row that changed."""
        self._tones.extend(bytes((self._tone(tone),)) * len(text))
        return self._wrapped.append(glyphs(text))

    def repaint(self, start: int, tones: Iterable[str]) -> None:
        """Give the characters from `start` on other tones."""
        painted = bytes(map(self._tone, tones))
        self._tones[start : start + len(painted)] = painted

    def height(self, width: int) -> int:
        """The number of rows at this width."""
        self._wrapped.set_width(width)
        return len(self._wrapped)

    def draw(self, row: int, look: Look) -> list[Segment]:
        """One row."""
        start, end = self._wrapped.span(row)
        text = self._wrapped.text[start:end]
        segments = []
        for tone, run in groupby(range(start, end), self._tone_at):
            positions = list(run)
            piece = text[positions[0] - start : positions[-1] + 1 - start]
            piece = piece.replace("\n", "↵" if tone == "cursor" else "")
            segments.append(Segment(piece, look(tone)))
        return list(Segment.adjust_line_length(segments, self._wrapped.width, pad=False))

    def _tone(self, name: str) -> int:
        if name not in self._names:
            self._names.append(name)
        return self._names.index(name)

    def _tone_at(self, index: int) -> str:
        return "cursor" if index == self.cursor else self._names[self._tones[index]]


class TextView(ScrollView, can_focus=True):
    """A stack of blocks, of which the last may grow."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    TextView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """
    TONES: ClassVar[tuple[str, ...]] = ()
    """The tones that blocks may ask for: component classes `text-view--TONE`."""

    virtual_size: Reactive[Size] = Reactive(Size(0, 0), layout=False)
    """Growing must not lay out the whole screen anew (8 ms): the scroll bar is always there, and told by hand."""

    class Pressed(Message):
        """The mouse was pressed on a row of a block."""

        def __init__(self, index: int, row: int, column: int) -> None:
            self.index, self.row, self.column = index, row, column
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: list[Block] = []
        self._tops: list[int] = [0]
        self._measured_width = 0
        self._thumb = 0, 0
        self._strips: dict[int, Strip] = {}
        self._looks: dict[str, Style] = {}

    # What is shown

    @property
    def blocks(self) -> Sequence[Block]:
        """What is shown, from top to bottom."""
        return self._blocks

    @property
    def total_rows(self) -> int:
        """Rows of all blocks."""
        return self._tops[-1]

    @property
    def row_width(self) -> int:
        """Cells in a row."""
        return max(1, self.scrollable_content_region.width)

    def show(self, blocks: Iterable[Block]) -> None:
        """Show these blocks instead of the others."""
        self._blocks = list(blocks)
        self.reflow()

    def add(self, block: Block) -> None:
        """Show one more block at the end."""
        self._blocks.append(block)
        self.grown(len(self._blocks) - 1)

    def grown(self, index: int, row: int = 0) -> None:
        """Block `index` changed from its row `row` on; the tail is followed if one is at it."""
        at_tail = self.at_tail
        first = self._tops[index] + row
        self._measure(index)
        for stale in [y for y in self._strips if y >= first]:
            del self._strips[stale]
        self._resize_content()
        self._move_thumb(self.max_scroll_y if at_tail else self.scroll_y)
        if at_tail:
            self.follow()
        self._refresh_below(first)

    def reflow(self) -> None:
        """Measure and draw everything anew."""
        at_tail = self.at_tail
        self._measure(0)
        self._strips.clear()
        self._resize_content()
        if at_tail:
            self.follow()
        self.vertical_scrollbar.refresh()
        self.refresh()

    def redraw(self, index: int | None = None) -> None:
        """Draw a block (or all) anew; its size stands."""
        rows = range(self.total_rows) if index is None else range(self._tops[index], self._tops[index + 1])
        for stale in [y for y in self._strips if y in rows]:
            del self._strips[stale]
        self.refresh()

    # Where one looks

    @property
    def at_tail(self) -> bool:
        """Whether the end is in sight, or nearly."""
        return self.scroll_y >= self.max_scroll_y - TAIL_ROWS

    def follow(self) -> None:
        """Go to the end."""
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def reveal(self, index: int, row: int = 0, rows: int = 1) -> None:
        """Scroll as little as it takes to see `rows` rows of a block from `row` on, its first above all."""
        top = self._tops[index] + row
        height = max(1, self.scrollable_content_region.height)
        y = self.scroll_y
        if top + rows > y + height:
            y = top + rows - height
        self.scroll_to(y=min(y, top), animate=False, force=True)

    def block_at(self, y: int) -> tuple[int, int]:
        """The block at a row of the whole text, and the row within it."""
        index = min(bisect_right(self._tops, y), len(self._blocks)) - 1
        return index, y - self._tops[index]

    # Textual's side

    def render_line(self, y: int) -> Strip:
        """A row on screen."""
        return self._strip(self._first_row() + y)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows go to the screen as they are kept. Textual's own way takes each through borders, padding and tints, of
        which there are none, and that was a fifth of what a burst costs that scrolls."""
        first, is_whole = self._first_row(), crop.x == 0 and crop.width == self.row_width
        strips = [self._strip(first + y) for y in range(crop.y, crop.bottom)]
        return strips if is_whole else [strip.crop_extend(crop.x, crop.right, None) for strip in strips]

    def _first_row(self) -> int:
        """The row at the top of the screen, which may be asked for before a resize is told."""
        if self.row_width != self._measured_width:
            self._measure(0)
            self._strips.clear()
        return round(self.scroll_offset.y)

    def _strip(self, row: int) -> Strip:
        """A row, from the kept ones or drawn now."""
        strip = self._strips.get(row)
        if strip is None:
            strip = self._draw(row)
            if len(self._strips) >= _KEPT_STRIPS:
                self._strips.clear()
            self._strips[row] = strip
        return strip

    def on_resize(self, event: events.Resize) -> None:
        """Another width breaks the rows anew."""
        del event
        self.reflow()

    def on_click(self, event: events.Click) -> None:
        """Tell which row was pressed."""
        y = event.y + round(self.scroll_offset.y)
        if self._blocks and 0 <= y < self.total_rows:
            index, row = self.block_at(y)
            self.post_message(self.Pressed(index, row, event.x))

    def notify_style_update(self) -> None:
        """Another theme, or another state: every colour is looked up anew."""
        super().notify_style_update()
        self._looks.clear()
        self._strips.clear()

    def look(self, tone: str) -> Style:
        """The style of a tone."""
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
        """Draw the rows from `row` on anew, as far as they are on screen."""
        y = max(0, row - round(self.scroll_offset.y))
        if y < self.size.height:
            self.refresh(Region(0, y, self.size.width, self.size.height - y))

    def _measure(self, index: int) -> None:
        """Find the tops of the blocks after `index`, or of all at another width."""
        width = self.row_width
        if width != self._measured_width:
            self._measured_width, index = width, 0
        top = self._tops[index]
        del self._tops[index + 1 :]
        for block in self._blocks[index:]:
            top += block.height(width)
            self._tops.append(top)

    def _resize_content(self) -> None:
        size = Size(self.row_width, self.total_rows)
        if size != self.virtual_size:
            self.virtual_size = size
            self.vertical_scrollbar.set_reactive(ScrollBar.window_virtual_size, self.total_rows)
            self.scroll_y = self.validate_scroll_y(self.scroll_y)

    def _move_thumb(self, position: float) -> None:
        """Tell the scroll bar what the view is about to show. It is drawn anew only when its thumb has come to another
        cell: to draw it takes as long as all text on screen."""
        bar, height = self.vertical_scrollbar, self.size.height
        bar.set_reactive(ScrollBar.position, bar.validate_position(position))
        thumb = round(height * position / max(1, self.total_rows)), height * height // max(1, self.total_rows)
        if thumb != self._thumb:
            self._thumb = thumb
            bar.refresh()
