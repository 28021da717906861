"""Decides when a run's checkpoints are saved, and reports what became of them.

Copies are handed to a thread that writes them, so a slow disk never delays training. A checkpoint that could not be
written is reported when it fails and again when saving has recovered; training continues, and the run fails at its end
if the newest checkpoint of either kind is still missing.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from tui_gpt.control import Control
from tui_gpt.events import Event, Saved, StorageProblem, StorageRecovered
from tui_gpt.training.budget.planner import Costs
from tui_gpt.training.checkpoints.background import BackgroundSaver
from tui_gpt.training.clock import RunClock
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import Kind, Snapshot, TrainerState

Commit = Callable[[Kind, Snapshot], Path]
"""Writes a checkpoint and returns its folder, in another thread. Raises StorageError."""


class Checkpointer:
    """Saves the `last` and the `best` checkpoint of one run."""

    def __init__(
        self,
        state: TrainerState,
        settings: RunSettings,
        clock: RunClock,
        control: Control,
        costs: Costs,
        *,
        commit: Commit,
        read_best: Callable[[], Snapshot | None],
        take_snapshot: Callable[[Kind], Snapshot],
        saved_step: int | None = None,
    ) -> None:
        """`read_best` reads the committed `best` checkpoint; `saved_step` is the step of the `last` one, if any."""
        self._state = state
        self._settings = settings
        self._clock = clock
        self._control = control
        self._costs = costs
        self._commit = commit
        self._read_best = read_best
        self._take_snapshot = take_snapshot
        self._saver = BackgroundSaver()
        self._saved_at = clock.seconds()
        self._saved_step = saved_step
        self._problems: dict[str, str] = {}
        self._best: Snapshot | None = None

    def save_if_due(self) -> Iterator[Event]:
        """Report earlier saves; save `last` after each evaluation, on request, and every `autosave_seconds`."""
        yield from self.report()
        is_late = self._clock.seconds() - self._saved_at >= self._settings.config.autosave_seconds
        was_evaluated = self._state.evaluated_step == self._state.step > 0
        is_requested = self._control.take_save_request()
        if self._saved_step != self._state.step and (is_late or was_evaluated or is_requested):
            self.save("last")

    def save(self, kind: Kind) -> None:
        """Save the current state in the background."""
        snapshot = self._take_snapshot(kind)
        if kind == "best":
            self.save_best(snapshot)
            return
        self._saved_at, self._saved_step = self._clock.seconds(), self._state.step
        if self._best is not None and self._problems.get("best"):
            self._submit("best", self._best)
        self._submit("last", snapshot)

    def save_best(self, snapshot: Snapshot) -> None:
        """Save a snapshot as the best model, in the background; it is kept in memory until it is on disk."""
        self._best = snapshot
        self._submit("best", snapshot)

    def save_last_and_wait(self) -> Iterator[Event]:
        """Save the current state if that is not done yet, try once more if it fails, and report both."""
        if self._saved_step != self._state.step:
            self.save("last")
        self.wait()
        yield from self.report()
        if self.problem:
            self.save("last")
            self.wait()
            yield from self.report()

    def mark_unsaved(self) -> None:
        """Have the current step saved again, since its state has changed after it was saved."""
        self._saved_step = None

    def newest_best(self) -> Snapshot | None:
        """Return the best model so far, from memory or from disk; None where it is lost."""
        self.wait()
        return self._best or self._read_best()

    def wait(self) -> None:
        """Wait until every submitted checkpoint is written, or has failed."""
        self._saver.wait()

    @property
    def problem(self) -> str:
        """Why the newest checkpoint of either kind is not on disk; empty if both are."""
        return next(filter(None, self._problems.values()), "")

    def report(self) -> Iterator[Event]:
        """Report the checkpoints that were written or have failed since the last call."""
        for result in self._saver.take_results():
            before = self.problem
            self._problems[result.kind] = result.problem
            if result.path is not None:
                yield Saved(step=result.step, path=str(result.path))
                if self._best is not None and (result.kind, result.step) == ("best", self._best.state.step):
                    self._best = None
            if self.problem and self.problem != before:
                yield StorageProblem(step=self._state.step, problem=self.problem)
            elif self.problem != before:
                yield StorageRecovered(step=self._state.step)

    def _submit(self, kind: Kind, snapshot: Snapshot) -> None:
        self._saver.submit(kind, snapshot.state.step, lambda: self._write(kind, snapshot))

    def _write(self, kind: Kind, snapshot: Snapshot) -> Path:
        """Write a checkpoint, in the saver's thread, and note how long it takes."""
        began = self._clock.read()
        path = self._commit(kind, snapshot)
        self._costs.note_save(self._clock.read() - began)
        return path
