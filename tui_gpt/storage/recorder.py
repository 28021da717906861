"""Writes a run's log and state during training: failed writes are buffered, reported and retried.

Training continues on a full disk, while the events wait in memory. The problem is reported as an event, and the run
ends with an error if it persists to the end.
"""

from collections.abc import Iterator

from tui_gpt.errors import StorageError
from tui_gpt.events import Event, StorageProblem, StorageRecovered
from tui_gpt.progress import state_after
from tui_gpt.storage.runs import Run, RunState


class Recorder:
    """Writes the events of one run in their order. The caller must hold the run's lock."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: list[Event] = []
        self._state: RunState | None = None
        self._problem = ""
        self._warning = run.lock_problem

    def take(self, event: Event) -> Iterator[Event]:
        """Record an event and yield it, followed by a storage event if writing has begun to fail or to work again."""
        if self._warning:
            warning, self._warning = self._warning, ""
            yield from self.take(event)
            yield from self.take(StorageProblem(step=event.step, problem=warning))
            return
        self._waiting.append(event)
        self._state = state_after(event) or self._state
        before, self._problem = self._problem, self._write()
        if self._problem == before:
            yield event
            return
        report = self._storage_report(event.step)
        self._waiting.append(report)
        self._problem = self._write()
        yield event
        yield report

    def _storage_report(self, step: int) -> StorageProblem | StorageRecovered:
        return StorageProblem(step=step, problem=self._problem) if self._problem else StorageRecovered(step=step)

    def end(self, state: RunState) -> None:
        """Write the final state and the buffered events, if possible."""
        self._state = state
        self._write()

    def require_all(self) -> None:
        """Raise StorageError if anything could not be written."""
        if self._problem:
            raise StorageError(self._problem)

    def _write(self) -> str:
        """Write what is buffered; return the problem, or "" if everything was written."""
        try:
            while self._waiting:
                self._run.record(self._waiting[0])
                del self._waiting[0]
            if self._state is not None:
                self._run.set_state(self._state)
                self._state = None
        except StorageError as error:
            return str(error)
        return ""
