"""The alerts of the app: the terminal's title, its bell and its notifications."""

from collections.abc import Callable, Mapping

from tui_gpt.alerts import Alert, AlertWatch, failure, title_of
from tui_gpt.config import AlertConfig
from tui_gpt.terminal_alerts import TerminalAlerts
from tui_gpt.tui.train.feed import RunUpdate
from tui_gpt.tui.train.record import RunView

_UNNAMED = "training"


class RunAlerts:
    """Reports the run in progress to the terminal."""

    def __init__(self, config: AlertConfig, environment: Mapping[str, str], write: Callable[[str], object]) -> None:
        """`write` sends escape sequences to the terminal."""
        self._terminal = TerminalAlerts(config, environment)
        self._write = write
        self._watch = AlertWatch()

    def show(self, record: RunView | None, update: RunUpdate | None) -> None:
        """Show what has happened to a run since the last call, and its progress."""
        if record is None or record.started is None:
            return
        name = record.name or _UNNAMED
        codes = self._terminal.title(title_of(record, name, has_failed=record.phase == "failed"))
        if update is not None:
            codes += "".join(map(self._terminal.ring, self._alerts(record, update, name)))
        if codes:
            self._write(codes)

    def _alerts(self, record: RunView, update: RunUpdate, name: str) -> list[Alert]:
        found = [self._watch.take(event, record, name) for event in update.events]
        if update.error is not None:
            found.append(failure(record, name, record.failure or str(update.error)))
        return [alert for alert in found if alert is not None]

    def restore_title(self) -> str:
        """Return what gives the terminal its own title back; the next call of `show` sets it again."""
        return self._terminal.restore_title()
