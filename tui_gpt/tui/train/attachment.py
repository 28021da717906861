"""A run of another process, shown and controlled like one of this app."""

from collections.abc import Callable

from tui_gpt.control import Activity, Control
from tui_gpt.session import SessionLike
from tui_gpt.tui.train.activity import run_activity
from tui_gpt.tui.train.feed import Following, RunUpdate
from tui_gpt.tui.train.record import RunView

_EVENTS_PER_UPDATE = 2_000
"""Events of a long log that are applied at once, in a few hundredths of a second."""


class Attachment:
    """Follows one run of another process until it ends, or until `detach`."""

    def __init__(self, session: SessionLike, record: RunView) -> None:
        self.record = record
        self._following = Following(session, record.name)
        self._applied = 0
        self._following.start()

    @property
    def control(self) -> Control:
        """What the other process is asked for."""
        return self._following.control

    @property
    def activity(self) -> Activity | None:
        """What there is to wait for."""
        return run_activity(self.control.activity, self.record.phase, self.record.step)

    def detach(self) -> None:
        """Leave the run alone."""
        self.control.detach()
        if self.record.is_live:
            self.record.phase = "replayed"

    def poll(self, sentence_of: Callable[[Exception], str]) -> RunUpdate | None:
        """Apply the events since the last call to the record; None if nothing happened.

        The events of the update are those that happened since the app attached to the run.
        """
        is_alive, record = self._following.is_alive, self.record  # checked first: later events are taken next time
        events = self._following.drain(_EVENTS_PER_UPDATE)
        has_ended = not is_alive and len(events) < _EVENTS_PER_UPDATE
        if not events and not has_ended:
            return None
        before = record.phase, record.saved is None
        record.apply_all(events)
        if record.is_live and self.control.stop_requested:
            record.phase = "stopping"
        new = events[max(0, self._following.past_events - self._applied) :]
        self._applied += len(events)
        if has_ended:
            self._end(sentence_of)
        is_changed = before != (record.phase, record.saved is None)
        return RunUpdate(record, new, is_changed, ending="followed" if has_ended else None, error=self._following.error)

    def _end(self, sentence_of: Callable[[Exception], str]) -> None:
        if self._following.error is not None:
            self.record.phase, self.record.failure = "failed", sentence_of(self._following.error)
        elif self.record.is_live:
            self.record.phase = "replayed"
