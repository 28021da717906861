"""Dialogs of the Data tab: add a file or a folder, name a text, remove one."""

import asyncio
from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.storage.names import checked_name
from tui_gpt.text.dropped import dropped_paths
from tui_gpt.text.report import TextReport, inspect
from tui_gpt.tui.dialogs import QuestionScreen
from tui_gpt.tui.escaped_input import EscapedInput
from tui_gpt.tui.keys import key_binding, keymap_of
from tui_gpt.tui.threads import in_background

_REST_SECONDS = 0.3
"""The path must be left alone for this long before it is read."""


class _DropInput(EscapedInput):
    """A field that reports dropped files instead of typing their paths."""

    class Dropped(Message):
        """Files were dropped on the terminal."""

        def __init__(self, paths: tuple[str, ...]) -> None:
            self.paths = paths
            super().__init__()

    def on_paste(self, event: events.Paste) -> None:
        """Report dropped files; any other pasted text is inserted as usual."""
        if paths := dropped_paths(event.text):
            event.stop()
            event.prevent_default()
            self.post_message(self.Dropped(paths))


class AddScreen(ModalScreen[tuple[str, ...]]):
    """Asks for a path; a file that is dropped on the terminal is added at once. Dismissed with the paths."""

    BINDINGS: ClassVar[list[BindingType]] = [key_binding("dialog.cancel", "dismiss(())", "Cancel", show=False)]

    def compose(self) -> ComposeResult:
        """Lay out title, field and what is at that path."""
        with Vertical(classes="dialog"):
            yield Static("Add a text", classes="dialog-title")
            yield Static(
                "The path of a file or of a folder of text files. Or drop files here.", classes="dialog-detail"
            )
            yield _DropInput(id="path", compact=True)
            yield Static("", id="found", markup=False)
            yield Static(keymap_of(self).fill("Enter adds a copy, {dialog.cancel} cancels"), classes="dialog-hint")

    @on(_DropInput.Dropped)
    def _dropped(self, event: _DropInput.Dropped) -> None:
        self.dismiss(event.paths)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show("")
        if path := event.value.strip():
            self.run_worker(self._look(path), exclusive=True, exit_on_error=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if path := event.value.strip():
            self.dismiss((path,))

    async def _look(self, path: str) -> None:
        """Show what is at the path, or why it cannot be added."""
        await asyncio.sleep(_REST_SECONDS)
        self._show("reading…")
        try:
            report, _ = await in_background(inspect, path)
        except TuiGptError as error:
            self._show(str(error))
        else:
            self._show(found_words(report))

    def _show(self, words: str) -> None:
        self.query_one("#found", Static).update(escape_controls(words))


def found_words(report: TextReport) -> str:
    """Return what a file or folder holds, and what would be left out of it."""
    figures = f"{report.characters:,} characters, {len(report.frequencies):,} distinct"
    return "\n".join([figures, report.encoding, *report.notes])


class NameScreen(ModalScreen[str]):
    """Asks for the name of a text; dismissed with "" on Escape. `check` raises TuiGptError for an invalid one."""

    BINDINGS: ClassVar[list[BindingType]] = [key_binding("dialog.cancel", "dismiss('')", "Cancel", show=False)]

    def __init__(self, title: str, detail: str, name: str, check: Callable[[str], object] = checked_name) -> None:
        super().__init__()
        self._title, self._detail, self._name_at_first = title, detail, name
        self._check = check

    def compose(self) -> ComposeResult:
        """Lay out title, field and error."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._detail, classes="dialog-detail", markup=False)
            yield EscapedInput(self._name_at_first, select_on_focus=True, compact=True)
            yield Static("", id="refusal", markup=False)
            yield Static(keymap_of(self).fill("Enter confirms, {dialog.cancel} cancels"), classes="dialog-hint")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        try:
            self._check(event.value.strip())
        except TuiGptError as error:
            refusal = self.query_one("#refusal", Static)
            refusal.update(escape_controls(str(error)))
            refusal.display = True
        else:
            self.dismiss(event.value.strip())


def remove_question(name: str, runs: int) -> QuestionScreen:
    """Return the question whether to remove a text on which `runs` runs were trained."""
    used = {0: "No run was trained on it.", 1: "One run was trained on it and can then no longer be resumed."}
    detail = used.get(runs, f"{runs} runs were trained on it and can then no longer be resumed.")
    return QuestionScreen(
        f"Remove {name}?",
        f"Its copy is removed from the disk. {detail} This cannot be undone.",
        "Remove",
        "Keep",
        key="dialog.delete",
        yes_first=False,
    )
