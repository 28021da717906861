"""Where the prompt is typed: Enter sends it, a line break needs a modifier, up and down at the edges go back in time.

It knows nothing of models. What Enter means (a new card, or an edited one that goes on) is the pane's business; the box
only shows the words that the pane gives it for that.
"""

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

_LINE_BREAK_KEYS = ("ctrl+j", "shift+enter", "alt+enter")


class PromptBox(TextArea):
    """A text area of one row or more."""

    DEFAULT_CSS = """
    PromptBox {
        height: auto;
        min-height: 3;
        max-height: 8;
        border: round $border-blurred;
        background: transparent;
        padding: 0 1;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        &:focus { border: round $border; border-title-color: $text-primary; }
        & .text-area--cursor-line { background: transparent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Write", key_display="⏎"),
        Binding("ctrl+j", "line_break", "New line", key_display="^j", show=False),
        Binding("ctrl+r", "measure", "How likely?", key_display="^r"),
        Binding("escape", "leave", "Cards", key_display="esc"),
        Binding("ctrl+underscore", "undo", "Undo", show=False),  # Ctrl+Z is the shell's
    ]

    class Sent(Message):
        """The user wants the text to be continued."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class MeasureAsked(Message):
        """The user wants to know how well the model predicts the text."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Left(Message):
        """The user left the box by its key."""

    class Paged(Message):
        """The user wants to see more of the cards, without leaving the box."""

        def __init__(self, by: int) -> None:
            self.by = by
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            placeholder="A beginning, and the model goes on. Enter writes.",
        )
        self._history: list[str] = []
        self._place = 0
        self._draft = ""

    def remember(self, prompts: Iterable[str]) -> None:
        """What up and down go through, oldest first."""
        self._history = list(prompts)
        self._place = len(self._history)

    def put(self, text: str) -> None:
        """Show a text, ready to be changed at its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def action_send(self) -> None:
        """Post the text."""
        self.post_message(self.Sent(self.text))

    def action_measure(self) -> None:
        """Post the text to be measured."""
        self.post_message(self.MeasureAsked(self.text))

    def action_line_break(self) -> None:
        """Begin another line."""
        self.insert("\n")

    def action_leave(self) -> None:
        """Go to the cards."""
        self.post_message(self.Left())

    async def _on_key(self, event: events.Key) -> None:
        """Keys that a text area would take for itself."""
        action = {"enter": self.action_send, "escape": self.action_leave}.get(event.key)
        if event.key in _LINE_BREAK_KEYS:
            action = self.action_line_break
        if action is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        action()

    def action_cursor_up(self, select: bool = False) -> None:
        """Up a row; from the first one, to the prompt before."""
        if select or self.cursor_location[0] > 0 or not self._go(-1):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Down a row; from the last one, to the prompt after."""
        at_end = self.cursor_location[0] == self.document.line_count - 1
        if select or not at_end or not self._go(1):
            super().action_cursor_down(select)

    def action_cursor_page_up(self) -> None:
        """The cards scroll; the prompt is never pages long."""
        self.post_message(self.Paged(-1))

    def action_cursor_page_down(self) -> None:
        """The cards scroll back."""
        self.post_message(self.Paged(1))

    def _go(self, by: int) -> bool:
        """Show another prompt of the history; whether there is one."""
        place = self._place + by
        if not 0 <= place <= len(self._history):
            return False
        if self._place == len(self._history):
            self._draft = self.text
        self._place = place
        self.put(self._draft if place == len(self._history) else self._history[place])
        return True
