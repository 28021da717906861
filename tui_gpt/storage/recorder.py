"""A run's log and state while it is under way: what the disk refuses waits, is said, and is tried again.

A full disk is no reason to lose a night of training, so the run goes on and its events wait in memory. Whoever records
is told of the problem as an event, like of everything else, and the run ends with an error if it was never solved.
"""

from collections.abc import Iterator

from tui_gpt.errors import StorageError
from tui_gpt.events import Event, Finished, Paused, Resumed, Started, StorageProblem, StorageRecovered
from tui_gpt.storage.runs import Run, RunState


class Recorder:
    """Writes one run's events in their order; only its lock's holder may."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: list[Event] = []
        self._state: RunState | None = None
        self._problem = ""
        self._warning = run.lock_problem

    def take(self, event: Event) -> Iterator[Event]:
        """Record an event; it comes back, with what is new about the disk."""
        if self._warning:
            warning, self._warning = self._warning, ""
            yield from self.take(event)
            yield from self.take(StorageProblem(step=event.step, problem=warning))
            return
        self._waiting.append(event)
        self._state = _state_after(event) or self._state
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
        """Write how the run stands at last, and what still waits, as far as the disk lets it."""
        self._state = state
        self._write()

    def require_all(self) -> None:
        """Raises StorageError when something could not be written to the last."""
        if self._problem:
            raise StorageError(self._problem)

    def _write(self) -> str:
        """Write all that waits; why it could not be written, or nothing."""
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


def _state_after(event: Event) -> RunState | None:
    match event:
        case Paused():
            return "paused"
        case Resumed() | Started():
            return "running"
        case Finished(reason="stopped"):
            return "stopped"
        case Finished():
            return "finished"
        case _:
            return None
