"""The dialog that chooses what a new run starts from."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui_gpt.escaping import escape_controls
from tui_gpt.tui.keys import key_binding, keymap_of
from tui_gpt.tui.styles import MUTED
from tui_gpt.tui.train.start_from import start_label


class StartChooser(ModalScreen[str | None]):
    """A list of sources; dismissed with the one chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("dialog.cancel", "dismiss(None)", "Cancel", show=False),
        key_binding("dialog.leave_list", "dismiss(None)", "Cancel", show=False),
    ]

    def __init__(self, choices: Sequence[tuple[str, str]], current: str) -> None:
        super().__init__()
        self._choices = choices
        self._current = current

    def compose(self) -> ComposeResult:
        """Lay out title and list."""
        with Vertical(classes="dialog"):
            yield Static("Start from", classes="dialog-title")
            yield OptionList(*(Option(self._line(*choice)) for choice in self._choices), id="starts", compact=True)
            yield Static(keymap_of(self).fill("Enter chooses, {dialog.cancel} cancels"), classes="dialog-hint")

    def _line(self, source: str, remark: str) -> Content:
        mark = "● " if source == self._current else "  "
        return Content.assemble(mark, escape_controls(start_label(source)), "  ", (remark, MUTED))

    def on_mount(self) -> None:
        """Highlight the current source."""
        sources = [source for source, _ in self._choices]
        self.query_one(OptionList).highlighted = sources.index(self._current) if self._current in sources else 0

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][0])
