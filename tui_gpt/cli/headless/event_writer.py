"""Writes events as JSON lines on stdout."""

from collections import deque
from collections.abc import Callable
from typing import TextIO

from tui_gpt.cli.headless.streams import detach_stdout
from tui_gpt.escaping import escape_controls
from tui_gpt.events import Event, to_json

_RECENT_EVENTS = 20


class EventWriter:
    """Writes events to `out`, if it is given. When that fails, it calls `stop` instead of raising within a step."""

    def __init__(self, out: TextIO | None, stop: Callable[[], object]) -> None:
        self.failure: OSError | None = None
        self.recent: deque[Event] = deque(maxlen=_RECENT_EVENTS)
        """The newest events, for crash reports."""
        self._out = out
        self._stop = stop

    def write(self, event: Event) -> None:
        """Write an event, unless an earlier one could not be written."""
        self.recent.append(event)
        if self._out is None or self.failure is not None:
            return
        try:
            line = to_json(event)
            self._out.write((escape_controls(line) if self._out.isatty() else line) + "\n")
            self._out.flush()
        except OSError as error:
            self.failure = error
            self._stop()
            detach_stdout()
