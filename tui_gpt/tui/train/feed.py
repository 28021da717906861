"""A run in a thread: a locked buffer of events, filled by the trainer and drained at the screen's refresh rate.

Neither of them waits for the other. The thread is a daemon of the app and not one of asyncio's: those are joined when
the event loop ends, so a trainer that hangs would keep the app from exiting.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tui_gpt.control import Control
from tui_gpt.events import Event
from tui_gpt.requests import TrainRequest
from tui_gpt.session import SessionLike
from tui_gpt.storage.runs.live.attach import READING_LOG
from tui_gpt.tui.threads import lower_thread_priority
from tui_gpt.tui.train.record import RunView

Ending = Literal["ended", "refused", "cancelled", "followed"]
"""`refused`: its settings cannot be trained. `cancelled`: it was stopped before its first event. `followed`: it is a
run of another process, which has ended or died."""


@dataclass(frozen=True)
class RunUpdate:
    """What happened to a run in progress since the last look."""

    record: RunView
    events: Sequence[Event]
    is_changed: bool
    """Whether its phase changed, or its first checkpoint was saved."""
    ending: Ending | None = None
    error: Exception | None = None
    """Why it failed or was refused."""


class EventBuffer:
    """A queue of events from one thread to another."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def put(self, event: Event) -> None:
        """Append an event, from any thread."""
        with self._lock:
            self._events.append(event)

    def drain(self, limit: int | None = None) -> list[Event]:
        """Return the events since the last call, the first `limit` of them."""
        with self._lock:
            if limit is None or len(self._events) <= limit:
                events, self._events = self._events, []
            else:
                events, self._events = self._events[:limit], self._events[limit:]
        return events


class RunThread(ABC):
    """A thread that consumes the events of a run."""

    def __init__(self, name: str) -> None:
        self.control = Control()
        self.error: Exception | None = None
        """The error that ended the run, if any."""
        self._buffer = EventBuffer()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

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

    def drain(self, limit: int | None = None) -> list[Event]:
        """Return the events since the last call, the first `limit` of them."""
        return self._buffer.drain(limit)

    def _work(self) -> None:
        lower_thread_priority()
        try:
            for event in self._events():
                self._note(event)
                self._buffer.put(event)
        except Exception as error:
            self.error = error

    @abstractmethod
    def _events(self) -> Iterable[Event]:
        """Return the events, in the thread."""

    @abstractmethod
    def _note(self, event: Event) -> None:
        """Do what has to be done in the thread for each event, before it is in the buffer."""


class Training(RunThread):
    """Trains one run in a thread."""

    def __init__(self, session: SessionLike, request: TrainRequest) -> None:
        super().__init__("training")
        self.request = request
        self.has_begun = False
        """Whether there was an event; before the first one there is nothing to save."""
        self._session = session

    def _events(self) -> Iterable[Event]:
        return self._session.train(self.request, self.control)

    def _note(self, event: Event) -> None:  # noqa: ARG002  # it counts that there is one
        self.has_begun = True


class Following(RunThread):
    """Follows a run of another process in a thread."""

    def __init__(self, session: SessionLike, name: str) -> None:
        super().__init__("following")
        self.name = name
        self.past_events = 0
        """Events that were in the log when it began."""
        self._session = session

    def _events(self) -> Iterable[Event]:
        return self._session.attach(self.name, self.control)

    def _note(self, event: Event) -> None:  # noqa: ARG002  # they are only counted
        activity = self.control.activity
        if activity is not None and activity.name == READING_LOG:
            self.past_events += 1
