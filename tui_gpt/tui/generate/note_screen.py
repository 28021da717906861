"""The dialog for a note on a branch."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from tui_gpt.tui.keys import key_binding, keymap_of

MAX_NOTE = 10_000
"""Characters of a note."""
_KEYS = "{note.save} saves, {note.line_break} starts a new line, {dialog.cancel} cancels"


class NoteBox(TextArea):
    """A text of a few lines."""

    def on_key(self, event: events.Key) -> None:
        """Leave the keys of the dialog to it, and break lines."""
        keymap = keymap_of(self)
        if event.key in keymap.of("note.line_break"):
            self.insert("\n")
        elif event.key in keymap.of("note.save") and isinstance(self.screen, NoteScreen):
            self.screen.action_save()
        else:
            return
        event.stop()
        event.prevent_default()


class NoteScreen(ModalScreen[str | None]):
    """Asks for a note; dismissed with None on Escape."""

    DEFAULT_CSS = """
    NoteScreen NoteBox {
        height: 6;
        border: none;
        padding: 0;
        background: transparent;
        & .text-area--cursor-line { background: transparent; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("note.save", "save", "Save", show=False),
        key_binding("dialog.cancel", "dismiss(None)", "Cancel", show=False, priority=True),
    ]

    def __init__(self, note: str) -> None:
        super().__init__()
        self._note = note

    def compose(self) -> ComposeResult:
        """Lay out title, text and keys."""
        with Vertical(classes="dialog"):
            yield Static("Note", classes="dialog-title", markup=False)
            yield Static(
                "Shown under the text and in the tree, and searched. Empty removes it.",
                classes="dialog-detail",
                markup=False,
            )
            yield NoteBox(self._note, soft_wrap=True, show_line_numbers=False, tab_behavior="focus")
            yield Static(keymap_of(self).fill(_KEYS), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        """Continue at the end of the note."""
        box = self.query_one(NoteBox)
        box.move_cursor(box.document.end)
        box.focus()

    def action_save(self) -> None:
        """Close the dialog with the note."""
        self.dismiss(self.query_one(NoteBox).text.strip()[:MAX_NOTE])
