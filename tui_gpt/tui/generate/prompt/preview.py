"""A text area that shows a muted continuation of its text, which a key accepts word by word.

The preview is only drawn: it is no part of the text until it is accepted. Typing what it says shortens it, typing
anything else removes it.
"""

from dataclasses import dataclass
from itertools import accumulate

from rich.cells import get_character_cell_size
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea

from tui_gpt.tui.text.wrap import glyphs

PAUSE_SECONDS = 0.25
"""How long nothing is typed before a preview is requested."""
_MIN_CELLS = 4
"""Free cells at the end of the row without which no preview is drawn."""


@dataclass(frozen=True)
class Preview:
    """The continuation of a text."""

    text: str = ""
    continuation: str = ""

    def after(self, text: str) -> str:
        """Return the rest of the continuation after `text`; "" where it does not fit."""
        whole = self.text + self.continuation
        begins = len(text) >= len(self.text) and whole.startswith(text)
        return whole[len(text) :] if begins else ""


def first_word(text: str) -> str:
    """Return the beginning of a text up to the end of its first word."""
    start = len(text) - len(text.lstrip())
    end = next((k for k in range(start, len(text)) if text[k].isspace()), len(text))
    return text[:end]


def _beginning(text: str, cells: int) -> str:
    """Return the beginning of a text that fits into a row of that many cells."""
    ends = accumulate(map(get_character_cell_size, glyphs(text)))
    return text[: sum(end <= cells for end in ends)]


class PreviewArea(TextArea):
    """Requests a preview after a pause, when the cursor is at the end of the text."""

    class PreviewRequested(Message):
        """The continuation of this text is to be shown."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    shows_previews = False
    """Whether previews are requested and drawn."""

    _preview = Preview()
    _pause: Timer | None = None

    def forget_preview(self) -> None:
        """Remove the preview, and request one again: the model or the setting has changed."""
        self._preview = Preview()
        self.update_suggestion()
        self.refresh_bindings()

    def show_preview(self, text: str, continuation: str) -> None:
        """Show the continuation of `text`, if the text is still that or a part of what follows it."""
        self._preview = Preview(text, continuation)
        self.update_suggestion()

    @property
    def preview(self) -> str:
        """The continuation of the present text that is on screen."""
        if not self.is_mounted or not self.shows_previews or not self.text or not self._is_at_end:
            return ""
        free = self._free_cells
        return _beginning(self._preview.after(self.text), free) if free >= _MIN_CELLS else ""

    @property
    def _is_at_end(self) -> bool:
        return self.selection.is_empty and self.cursor_location == self.document.end

    @property
    def _free_cells(self) -> int:
        """Cells between the cursor and the end of its row."""
        column = self.wrapped_document.location_to_offset(self.cursor_location).x
        return max(0, (self.wrap_width or self.size.width) - column - 1)

    def update_suggestion(self) -> None:
        """Draw what is left of the preview, and request one after a pause if there is nothing left."""
        self.suggestion = glyphs(self.preview).replace("\n", "↵")
        if not self.is_mounted:
            return
        if self._pause is not None:
            self._pause.stop()
        if self.shows_previews and self.has_focus and self.text and self._is_at_end and not self.suggestion:
            self._pause = self.set_timer(PAUSE_SECONDS, self._request)

    def _request(self) -> None:
        if self._preview.text != self.text:
            self.post_message(self.PreviewRequested(self.text))

    def _watch_has_focus(self, focus: bool) -> None:
        super()._watch_has_focus(focus)
        self.update_suggestion()

    def on_text_area_selection_changed(self) -> None:
        """Show the preview only at the end of the text."""
        self.update_suggestion()

    def accept(self, words: str) -> None:
        """Insert the beginning of the preview."""
        if words:
            self.insert(words)

    def action_accept_word(self) -> None:
        """Accept the next word of the preview; without one, move the focus as the key does elsewhere.

        The key is in the footer all the time: drawing the footer again with each preview would delay the keys.
        """
        word = first_word(self.preview)
        if word:
            self.accept(word)
        else:
            self.screen.focus_next()

    def action_accept_all(self) -> None:
        """Accept the preview on screen; without one, move to the end of the row."""
        preview = self.preview
        if preview:
            self.accept(preview)
        else:
            self.action_cursor_line_end()

    def action_cursor_right(self, select: bool = False) -> None:
        """Move right; at the end of the text, accept the next word of the preview."""
        word = "" if select else first_word(self.preview)
        self.suggestion = ""
        if word:
            self.accept(word)
        else:
            super().action_cursor_right(select)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the key that accepts a word to the focus while previews are switched off."""
        if action == "accept_word":
            return self.shows_previews
        return super().check_action(action, parameters)
