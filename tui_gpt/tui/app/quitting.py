"""Leaving the app: ask while a run would lose its work, save that run, and exit."""

from collections.abc import Callable

from textual.app import App
from textual.screen import Screen

from tui_gpt.errors import EXIT_DONE
from tui_gpt.escaping import escape_controls
from tui_gpt.storage import paths
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.dialogs import quit_question
from tui_gpt.tui.train.run_control import RunControl

_UNSTARTED_SECONDS = 0.5
"""How long to wait for a run that has made no step: nothing of it would be lost."""


def unsaved_state_sentence() -> str:
    """Return the sentence for a disk on which the app's state cannot be saved."""
    file = escape_controls(str(paths.state_file()))
    return f"theme, preset and sampling settings cannot be saved in {file}: free some space, or make it writable"


class Quitting:
    """The way out of a screen's app."""

    def __init__(
        self, screen: Screen[None], control: RunControl, state: AppState, stop_work: Callable[[], object]
    ) -> None:
        """`stop_work` asks everything but the run in progress to stop."""
        self._screen = screen
        self._control = control
        self._state = state
        self._stop_work = stop_work
        self._code: int | None = None
        self.has_left = False
        """Whether the app is about to exit."""

    @property
    def _app(self) -> App[object]:
        return self._screen.app

    @property
    def is_leaving(self) -> bool:
        """Whether the app is only waiting for the run to be saved."""
        return self._code is not None

    async def ask(self) -> None:
        """Leave; ask first if a run in progress has made a step."""
        must_ask = self._control.record is not None and self._control.has_begun and not self.is_leaving
        if not must_ask or await self._app.push_screen_wait(quit_question()):
            self.leave(EXIT_DONE)

    def leave(self, code: int) -> None:
        """Stop everything, wait until the run is saved, and exit. Further calls have no effect."""
        if self._code is not None:
            return
        self._code = code
        self._stop_work()
        if not self._control.is_training:
            self.leave_now(code)
            return
        self._control.stop()
        if not self._control.has_begun:
            self._screen.set_timer(_UNSTARTED_SECONDS, lambda: self.leave_now(code))

    def run_ended(self) -> bool:
        """Exit if that was what the app was waiting for; return whether it was."""
        if self._code is not None:
            self.leave_now(self._code)
        return self._code is not None

    def leave_now(self, code: int) -> None:
        """Exit without waiting."""
        self.has_left = True
        self._app.exit(return_code=code, message=None if self._state.save() else unsaved_state_sentence())

    def abandon(self, code: int) -> None:
        """Exit after a bug; the run in progress is asked to stop, and the caller of the app waits for it."""
        self._stop_work()
        if self._control.training is not None:
            self._control.training.control.stop()
        self.leave_now(code)
