"""The app's shell: it paints at once, then opens the main screen; it keeps the theme, catches signals, and exits.

Time to the first picture decides what is imported here: Textual and nothing of ours that is not needed for it. Tabs,
charts and the session come right after that picture (`main_screen`), torch after those, in a thread.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Static

from tui_gpt.errors import EXIT_DONE, EXIT_FAILED
from tui_gpt.storage import paths
from tui_gpt.storage.plain_files import open_plain
from tui_gpt.tui.app.state import DEFAULT_THEME, AppState
from tui_gpt.tui.threads import is_anybody_at_work, set_switch_interval

if TYPE_CHECKING:
    from tui_gpt.requests import TrainRequest
    from tui_gpt.session import SessionLike
    from tui_gpt.storage.runs import RunStore
    from tui_gpt.tui.app.main_screen import MainScreen


_SAVING_PATIENCE_SECONDS = 10.0
"""How long a run may take to be saved after a bug."""
_BACKGROUND_SECONDS = 0.1


class TuiGptApp(App[None]):
    """Train, write, and look at old runs."""

    TITLE = "tui-gpt"
    CSS = "#curtain { padding: 0 2; color: $text-primary; text-style: bold; background: $panel; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
        Binding("q", "quit", "Quit", show=False),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True),
    ]

    def __init__(
        self,
        request: "TrainRequest | None" = None,
        *,
        session: "SessionLike | None" = None,
        store: "RunStore | None" = None,
    ) -> None:
        super().__init__()
        self.state = AppState.load()
        self.main: MainScreen | None = None
        """What the user sees, from shortly after the first picture on."""
        self.crash_sentence = ""
        """What to tell the user about an error in the app itself."""
        self._request = request
        self._given_session = session
        self._given_store = store

    def compose(self) -> ComposeResult:
        """The first picture: the main screen's top line."""
        yield Static("tui-gpt", id="curtain")

    def on_mount(self) -> None:
        """Colours and signals before the picture, the rest after it."""
        set_switch_interval()
        self.theme = usable_theme(self.state.theme, self.available_themes, no_color=self.no_color)
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        self._catch_signals()
        self.call_after_refresh(self._open)

    async def _open(self) -> None:
        from tui_gpt.session import Session
        from tui_gpt.storage.runs import RunStore
        from tui_gpt.tui.app.main_screen import MainScreen

        store = self._given_store or RunStore()
        self.main = MainScreen(self._given_session or Session(store), store, self.state, self._request)
        await self.push_screen(self.main)

    def _remember_theme(self, theme: Theme) -> None:
        self.state.theme = theme.name
        if self.main is not None:
            self.main.save_state()

    async def action_quit(self) -> None:
        """Leave; ask first while a run is under way."""
        if self.main is None:
            self.exit(return_code=EXIT_DONE)
        else:
            self.main.action_quit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette."""
        if self.main is not None:
            yield from self.main.commands()
        yield from super().get_system_commands(screen)

    def _handle_exception(self, error: Exception) -> None:
        """A bug: leave with the run saved and a report, instead of a traceback. Textual has no public hook for it.

        Whatever raised takes no messages any more, be it a widget or the screen, so nothing is waited for in here.
        """
        if self.is_headless or self.crash_sentence:
            super()._handle_exception(error)
            return
        from tui_gpt.storage import crash

        self.crash_sentence = crash.sentence(crash.write_report(error))
        if self.main is None:
            self.exit(return_code=EXIT_FAILED)
        else:
            self.main.abandon(EXIT_FAILED)

    def _catch_signals(self) -> None:
        """SIGINT, SIGTERM and SIGHUP save and leave; a second one leaves at once."""
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, self._signalled, 128 + number)
        if hasattr(signal, "SIGTSTP"):
            signal.signal(signal.SIGCONT, signal.SIG_DFL)  # Textual's handler would start a second reader of the keys
            self._catch_suspension()

    def _catch_suspension(self) -> None:
        """Let SIGTSTP do what Ctrl+Z does. In the event loop: Textual's own handler interrupts whatever is drawing."""
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, self.action_suspend_process)

    def action_suspend_process(self) -> None:
        """Give the terminal back and stop, until the shell's `fg`; training stops as well, and so does its clock."""
        if self._driver is None or not self._driver.can_suspend or not hasattr(signal, "SIGTSTP"):
            return
        with self.suspend():
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTSTP)
            began = time.monotonic()
            stop_until_foreground()
            if self.main is not None:
                self.main.was_suspended(time.monotonic() - began)
            self._catch_suspension()

    def _signalled(self, code: int) -> None:
        if self.main is None:
            self.exit(return_code=code)
        elif self.main.is_leaving:
            self.main.leave_now(code)
        else:
            self.main.leave(code)

    def wait_for_training(self) -> None:
        """Return once a run that was asked to stop is saved, or does not come to an end."""
        if self.main is not None and self.main.training is not None:
            self.main.training.wait(_SAVING_PATIENCE_SECONDS)


def usable_theme(name: str, available: Container[str], *, no_color: bool) -> str:
    """`name`, unless there is none such, or it would be black on black: ANSI colours without colour."""
    return DEFAULT_THEME if name not in available or (no_color and "ansi" in name) else name


def stop_until_foreground() -> None:
    """Stop this process and those that wrap it, as Ctrl+Z does to a program that does not catch it; return when the
    shell has given the terminal back. Where no shell is there to do so, the system ignores the signal.
    """
    while True:
        os.kill(0, signal.SIGTSTP)
        if _is_in_foreground():
            return
        time.sleep(_BACKGROUND_SECONDS)  # after the shell's `bg`: nothing can be drawn, so it stops again


def _is_in_foreground() -> bool:
    """Also where the terminal is gone: then there is nothing to wait for."""
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno() if sys.__stdin__ else 0) == os.getpgrp()
    except OSError:
        return True


@contextmanager
def native_noise_in_a_file() -> Iterator[None]:
    """What native libraries print goes to a log; the screen itself is written to stderr.

    Textual asks the terminal behind `sys.__stdout__` for its size, so that one stays the terminal's.
    """
    sys.stdout.flush()
    original = sys.__stdout__
    with os.fdopen(os.dup(1), "w") as kept:
        try:
            log = _open_log()
            os.dup2(log, 1)
            os.close(log)
            sys.__stdout__ = kept  # type: ignore[misc]  # final for others, but it is the terminal that is meant
            yield
        finally:
            sys.__stdout__ = original  # type: ignore[misc]  # see above
            sys.stdout.flush()
            os.dup2(kept.fileno(), 1)


def _open_log() -> int:
    try:
        paths.logs_dir().mkdir(parents=True, exist_ok=True)
        log = open_plain(paths.logs_dir() / "native.log", os.O_WRONLY | os.O_CREAT)
        os.ftruncate(log, 0)
        return log
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def run_app(
    request: "TrainRequest | None" = None,
    *,
    session: "SessionLike | None" = None,
    store: "RunStore | None" = None,
) -> int:
    """Run the app until the user leaves; the exit code. With a request, that run starts at once."""
    app = TuiGptApp(request, session=session, store=store)
    with native_noise_in_a_file():
        app.run()
    if app.crash_sentence:
        print(app.crash_sentence, file=sys.stderr)
        with suppress(KeyboardInterrupt):
            app.wait_for_training()
    code = EXIT_FAILED if app.return_code is None else app.return_code
    if is_anybody_at_work():
        sys.stderr.flush()
        os._exit(code)  # the interpreter would wait for, or crash in, a thread in the middle of an import
    return code
