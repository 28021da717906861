"""Dialogs of the Runs tab: a line of text, and an export."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, RadioButton, RadioSet, Static

from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.storage.names import checked_name
from tui_gpt.storage.paths import expanded
from tui_gpt.storage.runs import RunSummary
from tui_gpt.storage.runs.note import one_line
from tui_gpt.tui.escaped_input import EscapedInput
from tui_gpt.tui.keys import key_binding, keymap_of
from tui_gpt.tui.runs.exporting import FORMATS, ExportFormat, ExportRequest, default_target

_EXPORT_KEYS = "Tab changes the field, Enter exports, {dialog.cancel} cancels"


class LineScreen(ModalScreen[str | None]):
    """Asks for a line of text; dismissed with None on Escape. `check` raises TuiGptError for an invalid one."""

    BINDINGS: ClassVar[list[BindingType]] = [key_binding("dialog.cancel", "dismiss(None)", "Cancel", show=False)]

    def __init__(self, title: str, detail: str, text: str, check: Callable[[str], str]) -> None:
        super().__init__()
        self._title, self._detail, self._text = title, detail, text
        self._check = check

    def compose(self) -> ComposeResult:
        """Lay out title, explanation, field and error."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._detail, classes="dialog-detail", markup=False)
            yield EscapedInput(self._text, select_on_focus=True, compact=True)
            yield Static("", id="refusal", markup=False)
            yield Static(
                keymap_of(self).fill("Enter confirms, {dialog.cancel} cancels"), classes="dialog-hint", markup=False
            )

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        try:
            self.dismiss(self._check(event.value))
        except TuiGptError as error:
            _show_refusal(self, error)


def rename_dialog(name: str) -> LineScreen:
    """Return the dialog for another name of a run."""
    return LineScreen(f"Rename {name}", "Letters, digits and . _ -", name, lambda text: checked_name(text.strip()))


def note_dialog(run: RunSummary) -> LineScreen:
    """Return the dialog for the note of a run."""
    return LineScreen(f"Note on {run.name}", "One line, shown in the list. Empty removes it.", run.note, one_line)


class ExportScreen(ModalScreen[ExportRequest | None]):
    """Asks for a format and a path; dismissed with None on Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [key_binding("dialog.cancel", "dismiss(None)", "Cancel", show=False)]

    def __init__(self, run: RunSummary, folder: Path) -> None:
        super().__init__()
        self._run, self._folder = run, folder
        self._kind: ExportFormat = "model" if run.has_checkpoint else "csv"

    def compose(self) -> ComposeResult:
        """Lay out formats and path."""
        with Vertical(classes="dialog"):
            yield Static(f"Export {self._run.name}", classes="dialog-title", markup=False)
            with RadioSet(id="formats", compact=True):
                for kind, (words, _) in FORMATS.items():
                    yield RadioButton(
                        words,
                        value=kind == self._kind,
                        id=f"format-{kind}",
                        disabled=kind == "model" and not self._run.has_checkpoint,
                    )
            yield Static("to the new file or folder", classes="dialog-detail", markup=False)
            yield EscapedInput(self._proposal(), id="target", compact=True)
            yield Static("", id="refusal", markup=False)
            yield Static(keymap_of(self).fill(_EXPORT_KEYS), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        """Begin with the path, of which Enter accepts the proposal."""
        self.query_one("#target", Input).focus()

    def _proposal(self) -> str:
        return str(default_target(self._folder, self._run.name, self._kind))

    @on(RadioSet.Changed)
    def _format_changed(self, event: RadioSet.Changed) -> None:
        """Propose a path for the format, unless the user has typed another one."""
        target = self.query_one("#target", Input)
        is_proposed = target.value == self._proposal()
        self._kind = next(kind for kind in FORMATS if event.pressed.id == f"format-{kind}")
        if is_proposed:
            target.value = self._proposal()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not event.value.strip():
            return
        try:
            self.dismiss(ExportRequest(self._kind, expanded(Path(event.value.strip()))))
        except TuiGptError as error:
            _show_refusal(self, error)


def _show_refusal(dialog: Screen[Any], error: TuiGptError) -> None:
    """Show why the answer is refused."""
    refusal = dialog.query_one("#refusal", Static)
    refusal.update(escape_controls(str(error)))
    refusal.display = True
