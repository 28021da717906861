"""The figures of a run in a list of runs, folded from the ends of its log and from its checkpoints."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tui_gpt.errors import TuiGptError
from tui_gpt.events import Evaluated, Event, Finished, SettingChanged, Started
from tui_gpt.storage.manifest import CheckpointInfo, read_info

RunState = Literal["new", "running", "paused", "stopped", "finished", "failed", "interrupted", "damaged"]
"""`interrupted` is a running or paused run whose process is gone; the `run.json` of a `damaged` one is unreadable."""


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs."""

    name: str
    state: RunState
    preset: str
    corpus: str
    step: int
    max_iters: int
    """0 while it is not known."""
    best_val_loss: float | None
    """Nats per character."""
    updated: float
    """Seconds since 1970."""
    path: Path
    has_checkpoint: bool
    best_is_estimate: bool = False
    """Whether `best_val_loss` was measured on fewer characters than the loss of record."""
    best_val_tokens: int = 0
    """Validation characters that `best_val_loss` was measured on; 0 if unknown."""


@dataclass
class Figures:
    """The figures of a run, updated by its events and checkpoints."""

    step: int = 0
    max_iters: int = 0
    best_val_loss: float | None = None
    best_is_estimate: bool = False
    best_val_tokens: int = 0

    def add_event(self, event: Event) -> None:
        """Update the figures by an event of the log, in order."""
        self.step = max(self.step, event.step)
        match event:
            case Started():
                self.max_iters = event.max_iters
            case SettingChanged(setting="max_iters", value=int(value)):
                self.max_iters = value
            case Evaluated(is_best=True):
                self._set_best(event.val_loss, event.is_estimate, event.val_tokens)
            case Finished() if event.best_val_loss not in (None, self.best_val_loss):
                self._set_best(event.best_val_loss, event.best_is_estimate, 0)
            case _:
                pass

    def add_checkpoint(self, info: CheckpointInfo) -> None:
        """Complete the figures by those of a checkpoint."""
        self.step = max(self.step, info.step)
        self.max_iters = self.max_iters or info.max_iters
        if self.best_val_loss is None or (self.best_val_loss == info.best_val_loss and not self.best_val_tokens):
            self._set_best(info.best_val_loss, info.best_is_estimate, info.best_tokens)

    def _set_best(self, loss: float | None, is_estimate: bool, tokens: int) -> None:
        self.best_val_loss, self.best_is_estimate, self.best_val_tokens = loss, is_estimate, tokens


def figures_of(events: Iterable[Event], checkpoints: Iterable[Path]) -> Figures:
    """Fold events and the checkpoints in some folders into the figures of a run; skip unreadable checkpoints."""
    figures = Figures()
    for event in events:
        figures.add_event(event)
    for folder in checkpoints:
        with suppress(TuiGptError):
            figures.add_checkpoint(read_info(folder))
    return figures
