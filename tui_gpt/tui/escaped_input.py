"""A field that shows control characters of its value, e.g. those of a stranger's file name, by visible ones."""

from rich.highlighter import Highlighter
from rich.text import Text
from textual.widgets import Input

from tui_gpt.escaping import escape_controls


class _Escaping(Highlighter):
    """Replaces control characters in what is drawn."""

    def highlight(self, text: Text) -> None:
        """Replace the control characters of a text."""
        text.plain = escape_controls(text.plain)


class EscapedInput(Input):
    """An input whose value may contain control characters, which do not reach the terminal."""

    def on_mount(self) -> None:
        """Escape what is drawn; the value stays as it is."""
        self.highlighter = _Escaping()
