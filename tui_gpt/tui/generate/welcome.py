"""What the Generate tab says before anything was written: what to do, and a few beginnings to press."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Static

BEGINNINGS = ("ROMEO:", "To be, or not", "KING RICHARD:\nMy lords,", "O, what a")


class Welcome(VerticalScroll):
    """The empty notebook."""

    can_focus = False
    DEFAULT_CSS = """
    Welcome {
        height: 1fr;
        align: center middle;
        & Static { width: 100%; text-align: center; color: $text-muted; }
        & #welcome-title { color: $foreground; text-style: bold; margin-bottom: 1; }
        & Horizontal { height: auto; width: 100%; align: center middle; margin-top: 1; }
        & Button { margin: 0 1; min-width: 8; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "app.focus_previous", "Before", show=False),
        Binding("right", "app.focus_next", "Next", show=False),
    ]

    class Begun(Message):
        """The user took one of the beginnings."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    def compose(self) -> ComposeResult:
        """A title, a sentence, the beginnings."""
        yield Static("Write a beginning, and the model goes on.", id="welcome-title", markup=False)
        yield Static("It does not answer questions: it continues, one character after the other.", markup=False)
        with Horizontal():
            for number, text in enumerate(BEGINNINGS):
                yield Button(text.partition("\n")[0], id=f"beginning-{number}", compact=True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Begun(BEGINNINGS[int((event.button.id or "-0").rpartition("-")[2])]))
