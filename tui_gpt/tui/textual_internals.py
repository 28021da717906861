"""The uses of Textual that its documentation does not cover, read from the source of Textual 8.2.8.

A later version may change any of them without notice. Everything else in `tui/` keeps to the public API.
"""

from textual.app import App
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from tui_gpt.keys import DEFAULT_KEYMAP


class GuardedApp(App[None]):
    """An app that can handle its own bugs, and knows its keys and whether its terminal lets it be suspended."""

    keymap = DEFAULT_KEYMAP
    """The keys in use."""

    def handle_bug(self, error: Exception) -> bool:
        """Handle an unexpected exception; return False to leave it to Textual, which prints a traceback.

        The widget or screen that raised it processes no further messages, so nothing may be awaited.
        """
        del error
        return False

    def _handle_exception(self, error: Exception) -> None:
        if not self.handle_bug(error):
            super()._handle_exception(error)

    def write_to_terminal(self, codes: str) -> None:
        """Write escape sequences that draw nothing, between two frames; nothing without a terminal."""
        if codes and self._driver is not None and not self.is_headless:
            self._driver.write(codes)

    @property
    def can_suspend(self) -> bool:
        """Whether the app can give the terminal back and stop."""
        return self._driver is not None and self._driver.can_suspend


class StripView(ScrollView):
    """A scrolling view of finished strips, for content that grows many times per second.

    It skips what Textual does for widgets in general: laying out the screen when the content grows (8 ms), passing each
    row through borders, padding and tints (a fifth of the cost of a burst that scrolls), and redrawing the scroll bar
    when its thumb has not moved by a cell (as long as all the text on screen takes).
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    StripView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """
    virtual_size: Reactive[Size] = Reactive(Size(0, 0), layout=False)
    """No layout when it changes: the scroll bar is always visible, and `resize_content` updates it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._thumb = 0, 0

    def strip(self, row: int) -> Strip:
        """Return a row of the content, `row_width` cells wide."""
        raise NotImplementedError

    @property
    def row_width(self) -> int:
        """The width of a row, in cells."""
        return max(1, self.scrollable_content_region.width)

    def first_row(self) -> int:
        """Return the row at the top of the screen."""
        return round(self.scroll_offset.y)

    def render_line(self, y: int) -> Strip:
        """Return the row at line `y` of the screen."""
        return self.strip(self.first_row() + y)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows within `crop`, bypassing Textual's line cache and box model."""
        first, is_whole = self.first_row(), crop.x == 0 and crop.width == self.row_width
        strips = [self.strip(first + y) for y in range(crop.y, crop.bottom)]
        return strips if is_whole else [strip.crop_extend(crop.x, crop.right, None) for strip in strips]

    def resize_content(self, rows: int) -> None:
        """Set the number of rows."""
        size = Size(self.row_width, rows)
        if size != self.virtual_size:
            self.virtual_size = size
            self.vertical_scrollbar.set_reactive(ScrollBar.window_virtual_size, rows)
            self.scroll_y = self.validate_scroll_y(self.scroll_y)

    def move_thumb(self, position: float) -> None:
        """Move the scroll bar's thumb; redraw it only when the thumb has reached another cell."""
        bar, height, rows = self.vertical_scrollbar, self.size.height, max(1, self.virtual_size.height)
        bar.set_reactive(ScrollBar.position, bar.validate_position(position))
        thumb = round(height * position / rows), height * height // rows
        if thumb != self._thumb:
            self._thumb = thumb
            bar.refresh()
