"""Every setting of a run in a list that scrolls, each with its meaning and range. Its widgets cost half a second to
style, so the form mounts it when it is first opened."""

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Input, Label

from tui_gpt.tui.train.form import SECTIONS
from tui_gpt.tui.train.setting_row import SettingInput, SettingRow


class AllSettings(VerticalScroll, can_focus=False):
    """The settings of the next run, by subject."""

    def __init__(self, typed: Mapping[str, str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._typed = dict(typed)
        self._wrong = ""

    def compose(self) -> ComposeResult:
        """Lay out the settings under the titles of their sections."""
        for section in SECTIONS:
            yield Label(section.title, classes="section")
            for name in section.names:
                yield SettingRow(name, self._typed[name])

    def fill(self, typed: Mapping[str, str]) -> None:
        """Show other values, without a message for each."""
        with self.prevent(Input.Changed):
            for name, text in typed.items():
                self.query_one(f"#setting-{name}", SettingInput).value = text

    def show_error(self, field: str, sentence: str) -> None:
        """Show why the value of a field is invalid; an empty field name removes the last error."""
        if self._wrong and self._wrong != field:
            self._row(self._wrong).show_error("")
        self._wrong = field
        if field:
            row = self._row(field)
            row.show_error(sentence)
            row.scroll_visible(animate=False)

    def _row(self, name: str) -> SettingRow:
        return self.query_one(f"#row-{name}", SettingRow)

    def focus_first(self) -> None:
        """Focus the first setting."""
        self.query(SettingInput).first().focus()
