"""From the thread that trains to the screen: a locked buffer, filled as events come, drained as often as eyes need it.

The trainer never waits for the screen and the screen never waits for the trainer. The thread is a daemon of the app's
own and not one of asyncio's: those are joined when the loop ends, so a trainer that hangs would keep a dead app alive.
"""

import threading
from collections.abc import Iterable

from tui_gpt.control import Control
from tui_gpt.events import Event
from tui_gpt.requests import TrainRequest
from tui_gpt.session import SessionLike
from tui_gpt.tui.threads import lower_thread_priority


class EventBuffer:
    """Events on their way from one thread to another, in order."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def put(self, event: Event) -> None:
        """Add one, from any thread."""
        with self._lock:
            self._events.append(event)

    def drain(self) -> list[Event]:
        """Take out everything that came since the last call."""
        with self._lock:
            events, self._events = self._events, []
        return events


class Training:
    """One run under way in a thread of its own."""

    def __init__(self, session: SessionLike, request: TrainRequest) -> None:
        self.request = request
        self.control = Control()
        self.error: Exception | None = None
        """What ended it, when it did not end well."""
        self.has_begun = False
        """Whether there was an event: before the first one there is nothing to lose."""
        self._session = session
        self._buffer = EventBuffer()
        self._thread = threading.Thread(target=self._work, name="training", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread is still at work; once it is not, everything is saved and in the buffer."""
        return self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Return once the thread has ended, or after so many seconds."""
        self._thread.join(seconds)

    def drain(self) -> list[Event]:
        """The events since the last call."""
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
