"""The prompt: Enter submits it, a modifier with Enter breaks the line, up and down at its edges recall earlier prompts.

The pane decides what submitting means (a new card, or another answer of an edited one) and labels the box accordingly.
"""

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from tui_gpt.tui.generate.prompt.preview import PreviewArea
from tui_gpt.tui.keys import key_binding, keymap_of


class PromptBox(PreviewArea):
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
        & .text-area--suggestion { color: $text-disabled; text-style: italic; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("prompt.submit", "submit", "Generate", key_display="⏎"),
        key_binding("prompt.line_break", "line_break", "New line", key_display="^j", show=False),
        key_binding("prompt.score", "score", "Probabilities", key_display="^r"),
        key_binding("prompt.cards", "close", "Cards", key_display="esc"),
        key_binding("generate.model", "request_model", "Model", key_display="^o"),
        key_binding("generate.limits", "request_limits", "Limits", key_display="^l"),
        key_binding("prompt.accept_word", "accept_word", "Word", key_display="tab"),
        key_binding("prompt.accept_all", "accept_all", "All of the preview", show=False),
        key_binding("prompt.toggle_preview", "toggle_preview", "Preview", show=False),
        key_binding("prompt.undo", "undo", "Undo", show=False),  # Ctrl+Z is the shell's
    ]

    class Submitted(Message):
        """The text is to be continued."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class ScoreRequested(Message):
        """The probability of each character of the text is to be computed."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Closed(Message):
        """Escape was pressed: the keyboard focus is to move to the cards."""

    class ModelRequested(Message):
        """Another model is to be chosen."""

    class LimitsRequested(Message):
        """Stop conditions and constraints are to be changed."""

    class PreviewToggled(Message):
        """Previews are to be shown from now on, or not."""

    class PageRequested(Message):
        """The cards are to be scrolled by pages, without moving the focus."""

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
        )
        self._history: list[str] = []
        self._place = 0
        self._draft = ""

    def on_mount(self) -> None:
        """Show which key generates."""
        self.placeholder = keymap_of(self).fill("Type a prompt; {prompt.submit} generates.")

    def set_history(self, prompts: Iterable[str]) -> None:
        """Set the prompts that up and down recall, oldest first."""
        self._history = list(prompts)
        self._place = len(self._history)

    def put(self, text: str) -> None:
        """Show a text with the cursor at its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def action_submit(self) -> None:
        """Submit the text."""
        self.post_message(self.Submitted(self.text))

    def action_score(self) -> None:
        """Request the probabilities of the text."""
        self.post_message(self.ScoreRequested(self.text))

    def action_request_model(self) -> None:
        """Request the list of models."""
        self.post_message(self.ModelRequested())

    def action_request_limits(self) -> None:
        """Request the dialog for stop conditions and constraints."""
        self.post_message(self.LimitsRequested())

    def action_toggle_preview(self) -> None:
        """Show previews, or none."""
        self.post_message(self.PreviewToggled())

    def action_line_break(self) -> None:
        """Insert a line break."""
        self.insert("\n")

    def action_close(self) -> None:
        """Move the focus to the cards."""
        self.post_message(self.Closed())

    def on_key(self, event: events.Key) -> None:
        """Handle the keys that a text area would insert or consume."""
        keymap = keymap_of(self)
        for name, action in (
            ("prompt.submit", self.action_submit),
            ("prompt.cards", self.action_close),
            ("prompt.line_break", self.action_line_break),
        ):
            if event.key in keymap.of(name):
                event.stop()
                event.prevent_default()
                action()
                return

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up a row; in the first one, recall the previous prompt."""
        if select or self.cursor_location[0] > 0 or not self._recall(-1):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Move down a row; in the last one, recall the next prompt."""
        at_end = self.cursor_location[0] == self.document.line_count - 1
        if select or not at_end or not self._recall(1):
            super().action_cursor_down(select)

    def action_cursor_page_up(self) -> None:
        """Scroll the cards up: the prompt is never several pages long."""
        self.post_message(self.PageRequested(-1))

    def action_cursor_page_down(self) -> None:
        """Scroll the cards down."""
        self.post_message(self.PageRequested(1))

    def _recall(self, by: int) -> bool:
        """Show the previous or next prompt of the history; return whether there is one."""
        place = self._place + by
        if not 0 <= place <= len(self._history):
            return False
        if self._place == len(self._history):
            self._draft = self.text
        self._place = place
        self.put(self._draft if place == len(self._history) else self._history[place])
        return True
