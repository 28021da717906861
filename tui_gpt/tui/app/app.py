"""The app: it paints at once, then opens the main screen; it keeps the theme, handles signals and bugs, and exits.

The time to the first paint decides what is imported here: Textual, and nothing of ours that the paint does not need.
Tabs, charts and the session follow after the paint (`main_screen`), torch after those, in a thread.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Container, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen
from textual.theme import Theme
from textual.widgets import Static

from tui_gpt.errors import EXIT_DONE, EXIT_FAILED, SIGNAL_EXIT_CODES, TuiGptError
from tui_gpt.escaping import escape_controls
from tui_gpt.storage.names import SHIPPED
from tui_gpt.tui.app.state import DEFAULT_THEME, AppState
from tui_gpt.tui.app.terminal import native_output_in_a_file, stop_until_foreground
from tui_gpt.tui.app.themes import THEMES
from tui_gpt.tui.keys import key_binding
from tui_gpt.tui.textual_internals import GuardedApp
from tui_gpt.tui.threads import has_daemon_threads, set_switch_interval

if TYPE_CHECKING:
    from tui_gpt.requests import TrainRequest
    from tui_gpt.session import SessionLike
    from tui_gpt.storage.runs import RunStore
    from tui_gpt.tui.app.main_screen import MainScreen
    from tui_gpt.tui.app.run_alerts import RunAlerts
    from tui_gpt.tui.demo.demo_screen import DemoChoice
    from tui_gpt.tui.demo.recording import Recording
    from tui_gpt.tui.learn.lesson_screen import LessonChoice
    from tui_gpt.tui.learn.opening import Lesson


_SAVING_SECONDS = 10.0
"""How long saving a run may take after a bug."""


class TuiGptApp(GuardedApp):
    """Train, generate, and look at earlier runs."""

    TITLE = "tui-gpt"
    CSS = "#first-paint { padding: 0 2; color: $text-primary; text-style: bold; background: $panel; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("app.quit_anywhere", "quit", "Quit", show=False, priority=True),
        key_binding("app.quit", "quit", "Quit", show=False),
        key_binding("app.suspend", "suspend_process", "Suspend", show=False, priority=True),
        key_binding("app.palette", "command_palette", "Commands", show=False, priority=True),
    ]

    def __init__(
        self,
        request: "TrainRequest | None" = None,
        *,
        session: "SessionLike | None" = None,
        store: "RunStore | None" = None,
        recording: "Recording | None" = None,
        lesson: "Lesson | None" = None,
    ) -> None:
        """Start `request` at once, or show the demo `recording` or the `lesson` first."""
        super().__init__()
        self.state = AppState.load()
        self.main: MainScreen | None = None
        """The main screen, from shortly after the first paint on."""
        self.crash_sentence = ""
        """The message about an error in the app itself."""
        self._request = request
        self._given_session = session
        self._given_store = store
        self._recording = recording
        self._lesson = lesson
        self._keys_problem = ""
        self.alerts: RunAlerts | None = None
        """The terminal's title and bell, from the opening of the main screen on."""

    def compose(self) -> ComposeResult:
        """Paint the main screen's top line."""
        yield Static("tui-gpt", id="first-paint")

    def on_mount(self) -> None:
        """Set up theme and signals before the first paint, the rest after it."""
        set_switch_interval()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = usable_theme(self.state.theme, self.available_themes, no_color=self.no_color)
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        self._handle_signals()
        self.call_after_refresh(self._open)

    async def _open(self) -> None:
        from tui_gpt.tui.app.preferences import chosen_keymap

        self.keymap, self._keys_problem = chosen_keymap()
        self.set_keymap(self.keymap.chosen)
        if self._recording is not None:
            await self.play_demo(self._recording)
        elif self._lesson is not None:
            await self.open_lesson(self._lesson)
        else:
            await self._open_main()

    async def play_demo(self, recording: "Recording") -> None:
        """Show the demo on top of what is on screen."""
        from tui_gpt.tui.demo.demo_screen import DemoScreen

        await self.push_screen(DemoScreen(recording), self._after_demo)

    async def action_demo(self) -> None:
        """Show the demo that ships with the program."""
        from tui_gpt.tui.demo.recording import Recording

        try:
            await self.play_demo(Recording.load())
        except TuiGptError as error:
            self.notify(escape_controls(str(error)), severity="error", markup=False)

    async def _after_demo(self, choice: "DemoChoice | None") -> None:
        """Show the tab that the user has chosen; without a choice, leave if the app was opened for the demo."""
        if self.main is None:
            if choice is None:
                self.exit(return_code=EXIT_DONE)
                return
            await self._open_main()
        assert self.main is not None
        if choice == "generate":
            await self.main.generate_with(SHIPPED)
        elif choice == "train":
            self.main.action_tab("train")

    async def open_lesson(self, lesson: "Lesson") -> None:
        """Show the lesson on top of what is on screen."""
        from tui_gpt.session import Session

        loader = None if self.main is None else self.main.control.loader
        screen = lesson.screen(self._given_session or Session(self._given_store), self.state, loader)
        await self.push_screen(screen, self._after_lesson)

    async def action_lesson(self) -> None:
        """Show the lesson where the reader stopped."""
        from tui_gpt.tui.learn.opening import Lesson

        await self.open_lesson(Lesson())

    async def _after_lesson(self, choice: "LessonChoice | None") -> None:
        """Show the Train tab if the user wants it; else leave if the app was opened for the lesson."""
        if self.main is None and choice is None:
            self.exit(return_code=EXIT_DONE)
            return
        if self.main is None:
            await self._open_main()
        if self.main is not None and choice == "train":
            self.main.action_tab("train")

    async def _open_main(self) -> None:
        from tui_gpt.session import Session
        from tui_gpt.storage.runs import RunStore
        from tui_gpt.storage.settings import alert_config
        from tui_gpt.tui.app.main_screen import MainScreen
        from tui_gpt.tui.app.run_alerts import RunAlerts

        store = self._given_store or RunStore()
        config, problem = alert_config()
        self.alerts = RunAlerts(config, os.environ, self.write_to_terminal)
        self.main = MainScreen(self._given_session or Session(store), store, self.state, self.alerts, self._request)
        await self.push_screen(self.main)
        for words in {self._keys_problem, problem} - {"", self.main.settings_problem}:
            self.notify(escape_controls(words), severity="warning", markup=False)

    def _remember_theme(self, theme: Theme) -> None:
        self.state.theme = theme.name
        if self.main is not None:
            self.main.save_state()

    async def action_quit(self) -> None:
        """Leave; ask first while a run is in progress."""
        if self.main is None:
            self.exit(return_code=EXIT_DONE)
        else:
            self.main.action_quit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield the entries of the command palette."""
        from tui_gpt.tui.demo.demo_screen import DemoScreen
        from tui_gpt.tui.learn.lesson_screen import LessonScreen

        if isinstance(screen, DemoScreen | LessonScreen):
            yield from screen.commands()
        elif self.main is not None and screen is self.main:
            from tui_gpt.tui.app.commands import commands

            yield from commands(self.main)
        elif not isinstance(screen, ModalScreen):
            from tui_gpt.tui.keys import key_commands

            for node in (screen, screen.focused):
                if node is not None:
                    yield from key_commands(node)
        yield from super().get_system_commands(screen)

    def handle_bug(self, error: Exception) -> bool:
        """Leave with a report and the run saved, instead of a traceback."""
        if self.is_headless or self.crash_sentence:
            return False
        from tui_gpt.storage import crash

        self.crash_sentence = crash.sentence(crash.write_report(error))
        if self.main is None:
            self.exit(return_code=EXIT_FAILED)
        else:
            self.main.quitting.abandon(EXIT_FAILED)
        return True

    # Signals

    def _handle_signals(self) -> None:
        """Save and exit on SIGINT, SIGTERM and SIGHUP; exit immediately on a second one."""
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for name, exit_code in SIGNAL_EXIT_CODES.items():
            number = getattr(signal, name, None)
            if number is not None:
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, self._signalled, exit_code)
        if hasattr(signal, "SIGTSTP"):
            signal.signal(signal.SIGCONT, signal.SIG_DFL)  # Textual's handler would start a second reader of the keys
            self._handle_suspension()

    def _handle_suspension(self) -> None:
        """Treat SIGTSTP like Ctrl+Z, in the event loop: Textual's own handler interrupts whatever is drawing."""
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, self.action_suspend_process)

    def action_suspend_process(self) -> None:
        """Give the terminal back and stop until the shell's `fg`; training and its clock stop as well."""
        if not self.can_suspend or not hasattr(signal, "SIGTSTP"):
            return
        if self.alerts is not None:
            self.write_to_terminal(self.alerts.restore_title())
        with self.suspend():
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTSTP)
            began = time.monotonic()
            stop_until_foreground()
            if self.main is not None:
                self.main.was_suspended(time.monotonic() - began)
            self._handle_suspension()

    def _signalled(self, code: int) -> None:
        if self.main is None:
            self.exit(return_code=code)
        elif self.main.quitting.is_leaving:
            self.main.quitting.leave_now(code)
        else:
            self.main.quitting.leave(code)

    def farewell(self) -> list[str]:
        """Return the lines for the shell, after the app."""
        if self.main is None:
            return []
        from tui_gpt.tui.app.farewell import farewell

        return list(farewell(self.main.control.record, self.main.control.store))

    def empty_trash(self) -> None:
        """Remove the runs that were deleted and not restored."""
        if self.main is not None:
            self.main.control.trash.empty()

    def wait_for_training(self) -> None:
        """Wait until a run that was asked to stop has been saved, or has failed to end in time."""
        if self.main is not None and self.main.control.training is not None:
            self.main.control.training.wait(_SAVING_SECONDS)


def write_directly(text: str) -> None:
    """Write to stderr after the app has left it, unbuffered; a terminal that was closed is no reason to fail."""
    if text and sys.__stderr__ is not None:
        with suppress(OSError, ValueError):
            os.write(sys.__stderr__.fileno(), text.encode("utf-8", "replace"))


def usable_theme(name: str, available: Container[str], *, no_color: bool) -> str:
    """Return `name`, or the default if there is no such theme or it is black on black: ANSI without colours."""
    return DEFAULT_THEME if name not in available or (no_color and "ansi" in name) else name


def run_app(
    request: "TrainRequest | None" = None,
    *,
    session: "SessionLike | None" = None,
    store: "RunStore | None" = None,
    recording: "Recording | None" = None,
    lesson: "Lesson | None" = None,
) -> int:
    """Run the app until the user leaves; return the exit code.

    With a request, its run starts at once; a recording is played, or a lesson shown, first.
    """
    app = TuiGptApp(request, session=session, store=store, recording=recording, lesson=lesson)
    with native_output_in_a_file():
        try:
            app.run()
        finally:
            write_directly("" if app.alerts is None else app.alerts.restore_title())
    app.empty_trash()
    write_directly("".join(f"{line}\n" for line in app.farewell()))
    if app.crash_sentence:
        print(app.crash_sentence, file=sys.stderr)
        with suppress(KeyboardInterrupt):
            app.wait_for_training()
    code = EXIT_FAILED if app.return_code is None else app.return_code
    if has_daemon_threads():
        sys.stderr.flush()
        os._exit(code)  # at exit the interpreter would wait for, or crash in, a thread that is importing
    return code
