"""The right end of the top line: what is in progress behind any tab."""

from textual.widgets import Static

from tui_gpt.escaping import escape_controls
from tui_gpt.tui.train.activity import ActivityWatch
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.run_control import RunControl


class StatusLine(Static):
    """An activity with its seconds, or the progress of the run."""

    def __init__(self, control: RunControl, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._control = control
        self._watch = ActivityWatch()
        self._words = ""

    def refresh_words(self, *, is_leaving: bool = False) -> None:
        """Update the line, if it has changed."""
        words = escape_controls(self._current_words(is_leaving=is_leaving))
        if words != self._words:
            self._words = words
            self.update(words)

    def _current_words(self, *, is_leaving: bool) -> str:
        if self._control.loader.error is not None and not is_leaving:
            return "PyTorch missing"
        activity = self._control.activity()
        words = self._watch.words(activity) or progress_words(self._control.live_record)
        return words or (f"{activity.name}…" if activity else "")


def progress_words(record: RunView | None) -> str:
    """Return phase and progress of a run in progress, e.g. `running 30%` or `process 7: paused 9%`; "" without one."""
    if record is None or not record.is_live:
        return ""
    words = f"{record.phase} {record.step / record.max_iters:.0%}" if record.max_iters else record.phase
    return f"{record.writer}: {words}" if record.writer else words
