"""What the Runs tab changes on disk: deleting and restoring, renaming, notes and exports, each in the background."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from textual.widget import Widget

from tui_gpt.errors import TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.storage.runs import RunSummary
from tui_gpt.tui.keys import keymap_of
from tui_gpt.tui.threads import in_background
from tui_gpt.tui.train.run_control import RunControl

P = ParamSpec("P")
Result = TypeVar("Result")

_PROBLEM_SECONDS = 10.0


class RunEdits:
    """Changes runs on disk for a widget, in which it shows dialogs and notifications."""

    def __init__(self, widget: Widget, control: RunControl) -> None:
        self._widget = widget
        self._control = control

    async def delete(self, name: str) -> bool:
        """Delete a run, which can be restored; return whether it was deleted."""
        if self._is_in_progress(name):
            return False
        if not await self.attempt(f"deleting {name}", self._control.trash.delete, name):
            return False
        self._notify(f"{name} is deleted: {keymap_of(self._widget).shown('runs.undo')} restores it until you quit")
        return True

    async def restore(self) -> str | None:
        """Restore the run that was deleted last and return its name."""
        results = await self.attempt("restoring a run", self._control.trash.restore)
        return results[0].name if results else None

    async def rename_run(self, name: str) -> str | None:
        """Ask for another name and return it once the run has it."""
        from tui_gpt.tui.runs.dialogs import rename_dialog

        if self._is_in_progress(name):
            return None
        new_name = await self._widget.app.push_screen_wait(rename_dialog(name))
        if new_name is None or new_name == name:
            return None
        renamed = await self.attempt(f"renaming {name}", self._control.store.rename, name, new_name)
        return new_name if renamed else None

    async def note(self, run: RunSummary) -> bool:
        """Ask for the note of a run; return whether it was written."""
        from tui_gpt.tui.runs.dialogs import note_dialog

        note = await self._widget.app.push_screen_wait(note_dialog(run))
        if note is None or note == run.note:
            return False
        return bool(await self.attempt("writing the note", lambda: self._control.store.get(run.name).set_note(note)))

    async def export(self, run: RunSummary) -> None:
        """Ask for a format and a path, and export a run."""
        from tui_gpt.tui.runs.dialogs import ExportScreen
        from tui_gpt.tui.runs.exporting import export

        request = await self._widget.app.push_screen_wait(ExportScreen(run, Path.cwd()))
        if request is not None:
            places = await self.attempt(f"exporting {run.name}", export, self._control.store, run.name, request)
            for place in places:
                self._notify(f"exported to {place}")

    def _is_in_progress(self, name: str) -> bool:
        """Return whether this app trains a run, and notify the user if it does."""
        if self._control.is_training_run(name):
            self._widget.notify(f"{name} is training: stop it first", severity="warning", markup=False)
        return self._control.is_training_run(name)

    async def attempt(
        self, words: str, work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Result] | tuple[()]:
        """Return the result of `work`, computed in the background, or nothing once its error is shown."""
        try:
            with self._control.task(words):
                return (await in_background(work, *args, **kwargs),)
        except TuiGptError as error:
            self._widget.notify(escape_controls(str(error)), severity="error", markup=False, timeout=_PROBLEM_SECONDS)
            return ()

    def _notify(self, words: str) -> None:
        self._widget.notify(escape_controls(words), markup=False)
