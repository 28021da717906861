"""Dialogs of the Runs tab: another name, a note, an export."""

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, RadioButton, RadioSet, Static

from tui_gpt.errors import TuiGptError
from tui_gpt.storage.names import checked_name
from tui_gpt.storage.paths import expanded
from tui_gpt.storage.runs import RunSummary
from tui_gpt.storage.runs.note import one_line
from tui_gpt.tui.dialogs import LineScreen, show_refusal
from tui_gpt.tui.escaped_input import EscapedInput
from tui_gpt.tui.keys import key_binding, keymap_of
from tui_gpt.tui.runs.exporting import FORMATS, ExportFormat, ExportRequest, default_target

_EXPORT_KEYS = "Tab changes the field, Enter exports, {dialog.cancel} cancels"


def rename_dialog(name: str) -> LineScreen[str]:
    """Return the dialog for another name of a run."""
    return LineScreen(f"Rename {name}", "Letters, digits and . _ -", name, lambda text: checked_name(text.strip()))


def note_dialog(run: RunSummary) -> LineScreen[str]:
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
            show_refusal(self, str(error))
