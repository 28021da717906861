"""A widget that is drawn as a list of lines, of which only the parts that differ from the screen are drawn again."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui_gpt.tui.glyphs import is_ascii_only
from tui_gpt.tui.train.chart.ascii import ascii_line
from tui_gpt.tui.train.chart.canvas import Cell
from tui_gpt.tui.train.chart.strips import changed_regions, strip_of
from tui_gpt.tui.train.pace import SECONDS, Pace


class DrawnWidget(Widget):
    """Subclasses return their lines of cells from `cells_of` and call `redraw` after a change."""

    STYLE_PREFIX: ClassVar[str]
    """The component classes are this prefix and the names of the styles."""
    PACE_SECONDS: ClassVar[float] = SECONDS
    """The shortest time between two drawings of new data."""
    CLICKS: ClassVar[Mapping[str, str]] = {}
    """Actions of a click on words of a style."""

    ascii: reactive[bool] = reactive(lambda: is_ascii_only())
    """Whether only ASCII characters are drawn."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Strip] | None = None
        self._on_screen: dict[int, Strip] = {}
        """The lines as they were last given to the screen."""
        self._is_scheduled = False
        self._pace = Pace(self, self._refresh_changes, self.PACE_SECONDS)
        self._styles: dict[str, Style] = {}

    def cells_of(self, width: int, height: int) -> Sequence[Sequence[Cell]]:
        """Return the lines of the widget at a size."""
        raise NotImplementedError

    def drawn(self, width: int, height: int) -> list[Strip]:
        """Return the lines of the widget at a size, in the colours of the theme."""
        lines = self.cells_of(width, height)
        return [strip_of(ascii_line(line) if self.ascii else line, width, self._style) for line in lines]

    def redraw(self) -> None:
        """Draw again, once for all changes in this turn of the event loop."""
        self._lines = None
        if not self._is_scheduled and self.is_running:
            self._is_scheduled = True
            self.call_later(self._refresh_changes)

    def redraw_paced(self) -> None:
        """Draw again because of new data: soon, but only a few times per second."""
        self._lines = None
        self._pace.request()

    def _refresh_changes(self) -> None:
        self._is_scheduled = False
        lines = self._current_lines()
        before = [self._on_screen.get(y, Strip([])) for y in range(len(lines))]
        regions = changed_regions(before, lines, self.size.width)
        if regions:
            self.refresh(*regions)

    def watch_ascii(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self._lines = None
        self.refresh()

    def notify_style_update(self) -> None:
        """Redraw with the colours of another theme."""
        super().notify_style_update()
        self._lines, self._styles = None, {}

    def _current_lines(self) -> list[Strip]:
        if self._lines is None:
            self._lines = self.drawn(self.size.width, self.size.height)
        return self._lines

    def render_line(self, y: int) -> Strip:
        """Return one line of the widget."""
        lines = self._current_lines()
        strip = lines[y] if y < len(lines) else Strip.blank(self.size.width, self.rich_style)
        self._on_screen[y] = strip
        return strip

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            style = self.get_component_rich_style(f"{self.STYLE_PREFIX}--{name}")
            action = self.CLICKS.get(name)
            self._styles[name] = style + Style.from_meta({"@click": action}) if action else style
        return self._styles[name]
