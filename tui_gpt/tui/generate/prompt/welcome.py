"""The Generate tab before anything has been generated: what to do, and a few prompts to choose from."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Static

from tui_gpt.tui.generate.cards.card_actions import CardAction
from tui_gpt.tui.keys import key_binding

PROMPTS = ("ROMEO:", "To be, or not", "KING RICHARD:\nMy lords,", "O, what a")


class Welcome(VerticalScroll):
    """Introduction and example prompts."""

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
        key_binding("examples.previous", "app.focus_previous", "Previous", show=False),
        key_binding("examples.next", "app.focus_next", "Next", show=False),
        key_binding("card.undo", "change('undo')", "Undo", show=False),
        key_binding("card.redo", "change('redo')", "Redo", show=False),
        key_binding("card.import", "change('import')", "Import", show=False),
    ]

    class PromptChosen(Message):
        """An example prompt is to be submitted."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class ChangeRequested(Message):
        """A change of the notebook that needs no card is requested."""

        def __init__(self, action: CardAction) -> None:
            self.action = action
            super().__init__()

    def compose(self) -> ComposeResult:
        """Lay out title, explanation and prompts."""
        yield Static("Type a prompt, and the model continues it.", id="welcome-title", markup=False)
        yield Static("It does not answer questions: it predicts text, one character at a time.", markup=False)
        with Horizontal():
            for number, text in enumerate(PROMPTS):
                yield Button(text.partition("\n")[0], id=f"prompt-{number}", compact=True)

    def action_change(self, action: str) -> None:
        """Request a change of the notebook."""
        self.post_message(self.ChangeRequested(CardAction(action)))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.PromptChosen(PROMPTS[int((event.button.id or "-0").rpartition("-")[2])]))
