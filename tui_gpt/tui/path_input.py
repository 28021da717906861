"""A field for a path: a file that is dropped on the terminal, which pastes its path, replaces what is in it."""

from textual import events

from tui_gpt.text.dropped import dropped_paths
from tui_gpt.tui.escaped_input import EscapedInput


class PathInput(EscapedInput):
    """An input that takes dropped files."""

    takes_paths = True

    def on_paste(self, event: events.Paste) -> None:
        """Replace the value by a dropped path; any other pasted text is inserted as usual."""
        if self.takes_paths and (paths := dropped_paths(event.text)):
            self.value = paths[0]
            self.cursor_position = len(self.value)
            event.stop()
            event.prevent_default()
