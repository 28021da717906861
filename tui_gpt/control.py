"""Requests to a running worker: stop, pause, continue and change, from any thread or signal handler.

The worker polls them. A running generator cannot be closed from another thread, and a step that was interrupted in the
middle could not be resumed exactly, so a request takes effect between two steps (or two characters).
"""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tui_gpt.errors import StoppedError
from tui_gpt.events import SettingValue

_PAUSE_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Activity:
    """What a worker is doing between two events."""

    name: str
    """In lower case, e.g. `loading PyTorch`, `counting n-grams`, `evaluating`."""
    done: float | None = None
    """The fraction that is done, 0 to 1; None if unknown."""


class Control:
    """Requests to one worker, and its activity. All methods but those that wait return at once."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._detach = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._save = threading.Event()
        self._changes: dict[str, SettingValue] = {}
        self._weight_requests: list[Future[Any]] = []
        self._closed = False
        self._suspended_seconds = 0.0
        self._lock = threading.Lock()
        self._activity: Activity | None = None

    def report(self, name: str, done: float | None = None) -> None:
        """Report what the worker is doing from now on, and the fraction that is done (0 to 1)."""
        self._activity = Activity(name, done)

    def report_or_stop(self, name: str, done: float | None = None) -> None:
        """Report as `report`, from a place where there is nothing to save. Raises StoppedError once asked to stop."""
        if self.stop_requested:
            raise StoppedError(f"stopped while {name}: start again")
        self.report(name, done)

    def report_idle(self) -> None:
        """Report that the worker is doing nothing besides what its events report."""
        self._activity = None

    @property
    def activity(self) -> Activity | None:
        """What the worker is doing between two events; None while it yields events."""
        return self._activity

    def stop(self) -> None:
        """Ask the worker to save and end, also while it is paused. This cannot be undone."""
        self._stop.set()
        self._running.set()

    def forget_stop(self) -> None:
        """Forget a request to stop that never reached a worker in another process."""
        self._stop.clear()

    def detach(self) -> None:
        """Ask what follows a worker in another process to end, and to leave that worker alone."""
        self._detach.set()

    @property
    def detach_requested(self) -> bool:
        """Whether what follows a worker in another process should end."""
        return self._detach.is_set()

    def wait_for_detach(self, seconds: float) -> None:
        """Wait until `detach` is called, at most `seconds`."""
        self._detach.wait(seconds)

    def pause(self) -> None:
        """Ask the worker to pause after the current step; no effect after `stop`."""
        if not self._stop.is_set():
            self._running.clear()

    def resume(self) -> None:
        """Let a paused worker continue."""
        self._running.set()

    def save(self) -> None:
        """Ask for a checkpoint after the current step."""
        self._save.set()

    def change(self, setting: str, value: SettingValue) -> None:
        """Ask for a new value of a setting from the next step on; the last request for a setting wins."""
        self.change_all({setting: value})

    def change_all(self, changes: Mapping[str, SettingValue]) -> None:
        """Ask for new values of several settings: all of them change, or none."""
        with self._lock:
            self._changes.update(changes)

    @property
    def stop_requested(self) -> bool:
        """Whether the worker should end."""
        return self._stop.is_set()

    @property
    def pause_requested(self) -> bool:
        """Whether the worker should wait."""
        return not self._running.is_set()

    def take_save_request(self) -> bool:
        """Return whether a checkpoint was requested since the last call."""
        requested = self._save.is_set()
        if requested:
            self._save.clear()
        return requested

    def take_changes(self) -> dict[str, SettingValue]:
        """Return the changes requested since the last call."""
        if not self._changes:
            return {}
        with self._lock:
            changes, self._changes = self._changes, {}
        return changes

    def request_weights(self) -> Future[Any]:
        """Request a copy of the weights after the step in progress, with the number of that step.

        The future is cancelled if the worker ends first, or has ended.
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                future.cancel()
            else:
                self._weight_requests.append(future)
        return future

    def take_weight_requests(self) -> list[Future[Any]]:
        """Return the requests for weights since the last call."""
        if not self._weight_requests:
            return []
        with self._lock:
            requests, self._weight_requests = self._weight_requests, []
        return requests

    def close(self) -> None:
        """Cancel all requests for weights, also later ones. The worker calls this when it ends."""
        with self._lock:
            self._closed = True
            requests, self._weight_requests = self._weight_requests, []
        for request in requests:
            request.cancel()

    def exclude_seconds(self, seconds: float) -> None:
        """Exclude seconds in which the process was suspended from the time budget."""
        self._suspended_seconds += seconds

    @property
    def suspended_seconds(self) -> float:
        """Seconds for which the process was suspended since the worker began."""
        return self._suspended_seconds

    def wait_while_paused(self) -> Iterator[None]:
        """Yield every 50 ms until continued or stopped, so that the paused worker can handle other requests."""
        while not self._running.wait(_PAUSE_POLL_SECONDS):
            yield
