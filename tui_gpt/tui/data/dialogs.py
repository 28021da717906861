"""Dialogs of the Data tab: add a file or a folder, name a text, remove one."""

import asyncio
import threading
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
from tui_gpt.text.dropped import dropped_paths
from tui_gpt.text.look import look
from tui_gpt.tui.dialogs import LineScreen, QuestionScreen, show_refusal
from tui_gpt.tui.escaped_input import EscapedInput
from tui_gpt.tui.keys import key_binding, keymap_of
from tui_gpt.tui.threads import in_background

_REST_SECONDS = 0.3
"""The path must be left alone for this long before it is looked up."""


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
        is_outdated = threading.Event()
        try:
            self._show(await in_background(look, path, is_outdated.is_set))
        except TuiGptError as error:
            self._show(str(error))
        finally:
            is_outdated.set()

    def _show(self, words: str) -> None:
        self.query_one("#found", Static).update(escape_controls(words))


class NameScreen(LineScreen[str]):
    """Asks for the name of a text. What `accept` does with it takes place in a thread, as it may write to the disk."""

    def __init__(self, title: str, detail: str, name: str, accept: Callable[[str], object]) -> None:
        super().__init__(title, detail, name, str.strip)
        self._accept = accept
        self._is_checking = False

    def confirm(self, text: str) -> None:
        """Close the dialog once the name is accepted."""
        if not self._is_checking:
            self._is_checking = True
            self.run_worker(self._confirm(self.check(text)), exit_on_error=False)

    async def _confirm(self, name: str) -> None:
        try:
            await in_background(self._accept, name)
        except TuiGptError as error:
            show_refusal(self, str(error))
        else:
            self.dismiss(name)
        finally:
            self._is_checking = False

    def action_cancel(self) -> None:
        """Close the dialog, unless a name was confirmed and is being checked."""
        if not self._is_checking:
            super().action_cancel()


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
