"""What is worth an alert: a run that has ended, has diverged or cannot be saved; and the title of its terminal.

How an alert reaches the user is in `terminal_alerts` and, for `--notify`, in `cli/headless/notify`.
"""

from dataclasses import dataclass
from typing import Literal

from tui_gpt.events import Event, Finished, RolledBack, StorageProblem, StorageRecovered
from tui_gpt.formatting import format_loss
from tui_gpt.notices import notice_of
from tui_gpt.progress import RunRecord

AlertState = Literal["finished", "stopped", "failed", "diverged", "unsaved"]
"""`finished`: the run has ended by itself. `stopped`: by a request. `diverged`: its loss was not finite and it was
rolled back; it continues. `unsaved`: a checkpoint or the log cannot be written; it continues."""

_HEADINGS: dict[AlertState, str] = {
    "finished": "finished", "stopped": "stopped", "failed": "failed", "diverged": "has diverged",
    "unsaved": "cannot be saved",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert about a run. Its texts may hold text from a file: escape them before they reach a terminal."""

    state: AlertState
    run: str
    step: int
    max_iters: int
    """0 if it is unknown."""
    best_val_loss: float | None
    """Nats per character."""
    best_is_estimate: bool
    elapsed_seconds: float
    message: str
    """One sentence."""

    @property
    def heading(self) -> str:
        """Return e.g. `my-run finished`."""
        return f"{self.run} {_HEADINGS[self.state]}"

    @property
    def is_expected(self) -> bool:
        """Whether the user has asked for it, so that it needs no sound."""
        return self.state == "stopped"


class AlertWatch:
    """Decides which of a run's events are alerts: of several storage problems in a row, the first alone."""

    def __init__(self) -> None:
        self._is_unsaved = False

    def take(self, event: Event, record: RunRecord, run: str) -> Alert | None:
        """Return the alert for an event that `record` has taken; None for most of them."""
        was_unsaved = self._is_unsaved
        if isinstance(event, StorageProblem | StorageRecovered):
            self._is_unsaved = isinstance(event, StorageProblem)
        match event:
            case Finished():
                return _alert("stopped" if event.reason == "stopped" else "finished", record, run, _result(record))
            case RolledBack():
                notice = notice_of(event)
                return _alert("diverged", record, run, notice.sentence if notice else "")
            case StorageProblem() if not was_unsaved:
                return _alert("unsaved", record, run, event.problem)
            case _:
                return None


def failure(record: RunRecord, run: str, sentence: str) -> Alert | None:
    """Return the alert for a run that an error has ended; None if it had not begun."""
    return None if record.started is None else _alert("failed", record, run, sentence)


def _alert(state: AlertState, record: RunRecord, run: str, message: str) -> Alert:
    loss, is_estimate = best_loss(record)
    finished, progress = record.finished, record.progress
    return Alert(
        state=state,
        run=run,
        step=record.step,
        max_iters=record.max_iters,
        best_val_loss=loss,
        best_is_estimate=is_estimate,
        elapsed_seconds=finished.elapsed_seconds if finished else progress.elapsed_seconds if progress else 0.0,
        message=message,
    )


def best_loss(record: RunRecord) -> tuple[float | None, bool]:
    """Return the best validation loss in nats per character, and whether it is an estimate."""
    if record.finished is not None:
        return record.finished.best_val_loss, record.finished.best_is_estimate
    return (None, False) if record.best is None else (record.best.val_loss, record.best.is_estimate)


def _result(record: RunRecord) -> str:
    loss, is_estimate = best_loss(record)
    steps = f"{record.step:,} steps"
    return steps if loss is None else f"{steps}, validation loss {format_loss(loss, is_estimate=is_estimate)}"


def title_of(record: RunRecord, run: str, *, has_failed: bool = False) -> str:
    """Return a title for the terminal, e.g. `34% my-run`, `paused 34% my-run`, `finished my-run`."""
    if has_failed:
        return f"failed {run}"
    share = f"{record.fraction_done:.0%} " if record.max_iters else ""
    match record.state:
        case "running":
            return f"{share}{run}"
        case "paused":
            return f"paused {share}{run}"
        case "new":
            return run
        case ended:
            return f"{ended} {run}"
