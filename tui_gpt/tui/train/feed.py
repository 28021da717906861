"""Training in a thread: a locked buffer of events, filled by the trainer and drained at the screen's refresh rate.

Neither of them waits for the other. The thread is a daemon of the app and not one of asyncio's: those are joined when
the event loop ends, so a trainer that hangs would keep the app from exiting.
"""

import threading
from collections.abc import Iterable

from tui_gpt.control import Control
from tui_gpt.events import Event
from tui_gpt.requests import TrainRequest
from tui_gpt.session import SessionLike
from tui_gpt.tui.threads import lower_thread_priority


class EventBuffer:
    """A queue of events from one thread to another."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def put(self, event: Event) -> None:
        """Append an event, from any thread."""
        with self._lock:
            self._events.append(event)

    def drain(self) -> list[Event]:
        """Return the events since the last call."""
        with self._lock:
            events, self._events = self._events, []
        return events


class Training:
    """Trains one run in a thread."""

    def __init__(self, session: SessionLike, request: TrainRequest) -> None:
        self.request = request
        self.control = Control()
        self.error: Exception | None = None
        """The error that ended training, if any."""
        self.has_begun = False
        """Whether there was an event; before the first one there is nothing to save."""
        self._session = session
        self._buffer = EventBuffer()
        self._thread = threading.Thread(target=self._work, name="training", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running; afterwards everything is saved, and all events are in the buffer."""
        return self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Wait until the thread has ended, at most `seconds`."""
        self._thread.join(seconds)

    def drain(self) -> list[Event]:
        """Return the events since the last call."""
        return self._buffer.drain()

    def _work(self) -> None:
        lower_thread_priority()
        try:
            self._fill(self._session.train(self.request, self.control))
        except Exception as error:
            self.error = error

    def _fill(self, events: Iterable[Event]) -> None:
        for event in events:
            self.has_begun = True
            self._buffer.put(event)
