"""The stop conditions and constraints that are set, on one line; without any it takes no room."""

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui_gpt.config import SampleConfig
from tui_gpt.escaping import escape_controls
from tui_gpt.tui.generate.notebook.limits import limits
from tui_gpt.tui.keys import keymap_of


class LimitsRow(Widget):
    """A line that names them; a click changes them."""

    DEFAULT_CSS = """
    LimitsRow {
        display: none;
        height: 1;
        color: $text-primary;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &.-set { display: block; }
    }
    """

    class Pressed(Message):
        """The line was clicked."""

    def __init__(self, config: SampleConfig) -> None:
        super().__init__()
        self._config = config

    def on_mount(self) -> None:
        """Show the initial settings."""
        self.show(self._config)

    def show(self, config: SampleConfig) -> None:
        """Show the settings."""
        self._config = config
        self.set_class(any(limits(config)), "-set")
        self.refresh()

    def render(self) -> Content:
        """Draw the line: first the key that changes it, which a long line must not push out."""
        key = keymap_of(self).fill("{generate.limits}")
        return Content.assemble((f"{key} ", "$text-muted"), escape_controls(" · ".join(limits(self._config))))

    def on_click(self) -> None:
        """Ask for other settings."""
        self.post_message(self.Pressed())
