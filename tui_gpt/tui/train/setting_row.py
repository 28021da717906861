"""One setting: its name, a field, and its meaning and range beside it, or why its value is invalid."""

from textwrap import wrap

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from tui_gpt.tui.path_input import PathInput
from tui_gpt.tui.styles import MUTED
from tui_gpt.tui.train.form import is_number, meaning

_NUMBER_CHARACTERS = frozenset("0123456789.,-+e_")
NAME_WIDTH = 22
"""Cells of a setting's name."""
EXPLANATION_COLUMN = 33
"""Cells left of the explanation."""
_NARROW = 60
"""Cells of a row below which the explanation has lines of its own."""
_PATHS = ("corpus", "val_file")


class SettingInput(PathInput):
    """One value. A number field leaves letters to the app's keys, so that `s` starts the run from any of them."""

    def __init__(self, name: str, value: str = "") -> None:
        super().__init__(value, name=name, id=f"setting-{name}", compact=True, select_on_focus=True)
        self.takes_paths = name in _PATHS
        self._numeric = is_number(name)
        if self._numeric:
            self.restrict = r"[0-9.,+\-e_]*"

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether the key is typed into the field."""
        if self._numeric and character is not None and character not in _NUMBER_CHARACTERS:
            return False
        return super().check_consume_key(key, character)

    def on_key(self, event: events.Key) -> None:
        """Pass on the keys that are not typed: `Input` would stop them before they reach the screen's bindings."""
        if event.is_printable and not self.check_consume_key(event.key, event.character):
            event.prevent_default()


class SettingRow(Widget):
    """A setting to be edited in place. It draws all but the field itself: each widget costs 10 ms to style."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(id=f"row-{name}", classes="setting-row")
        self._setting, self._value = name, value
        self.explanation = meaning(name)
        """What is beside the field."""

    def compose(self) -> ComposeResult:
        """Lay out the field."""
        yield SettingInput(self._setting, self._value)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines name and explanation take."""
        del container, viewport
        return len(self._lines(width))

    def _lines(self, width: int) -> list[str]:
        """Return the explanation, indented to be right of the field; on a narrow screen below it."""
        if width < _NARROW:
            return ["", *wrap(self.explanation, max(10, width), initial_indent="  ", subsequent_indent="  ")]
        indent = " " * EXPLANATION_COLUMN
        return wrap(self.explanation, width, initial_indent=indent, subsequent_indent=indent) or [""]

    def render(self) -> Content:
        """Draw the name, and the explanation."""
        lines = self._lines(self.content_size.width)
        colour = "$text-error" if self.has_class("wrong") else MUTED
        return Content.assemble(
            f"{self._setting:<{NAME_WIDTH}}", ("\n".join(lines)[NAME_WIDTH if lines[0] else 0 :], colour)
        )

    def on_descendant_focus(self) -> None:
        """Scroll to the whole row, and not only to its field."""
        self.scroll_visible(animate=False)

    def show_error(self, sentence: str) -> None:
        """Show why the value is invalid in place of its meaning; "" shows the meaning again."""
        self.set_class(bool(sentence), "wrong")
        self.query_one(SettingInput).set_class(bool(sentence), "wrong")
        self.explanation = sentence or meaning(self._setting)
        self.refresh(layout=True)
