"""The alerts of a headless training: the terminal's title, bell and notification, and the command of `--notify`."""

import os
from contextlib import suppress
from types import TracebackType
from typing import Self

from tui_gpt import alerts
from tui_gpt.alerts import Alert, AlertWatch
from tui_gpt.cli.headless.notify import Notifier
from tui_gpt.cli.progress_line import ProgressLine
from tui_gpt.config import AlertConfig
from tui_gpt.events import Event
from tui_gpt.terminal_alerts import TerminalAlerts

_STDERR = 2


class HeadlessAlerts:
    """Alerts on the stream of a progress line, if that is a terminal.

    At the end of a `with` block the title is restored, and the commands have ended.
    """

    def __init__(self, line: ProgressLine, config: AlertConfig, notifier: Notifier | None = None) -> None:
        self._line = line
        self._terminal = TerminalAlerts(config, os.environ)
        self._notifier = notifier
        self._watch = AlertWatch()
        self._run = "training"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.send(self._terminal.restore_title())
        if self._notifier is not None:
            self._notifier.wait()

    def note(self, event: Event, run: str | None) -> None:
        """Show the progress in the title, and raise the alert of an event that the line has taken, if it has one."""
        self._run = run or self._run
        self._line.send(self._terminal.title(alerts.title_of(self._line.record, self._run)))
        self._raise(self._watch.take(event, self._line.record, self._run))

    def fail(self, sentence: str) -> None:
        """Raise the alert for an error that has ended the run."""
        self._raise(alerts.failure(self._line.record, self._run, sentence))

    def _raise(self, alert: Alert | None) -> None:
        if alert is None:
            return
        self._line.send(self._terminal.ring(alert))
        if self._notifier is not None:
            self._notifier.send(alert)

    def leave(self, code: int) -> None:
        """Exit at once, as a signal handler may: the title is written directly to stderr."""
        codes = self._terminal.restore_title()
        with suppress(OSError):
            if codes and os.isatty(_STDERR):
                os.write(_STDERR, codes.encode())
        os._exit(code)
