"""The figures of a run in a list of runs, folded from the ends of its log and from its checkpoints."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tui_gpt.errors import TuiGptError
from tui_gpt.events import Event
from tui_gpt.metrics import ASCII_CHARACTER, TokenSize
from tui_gpt.progress import RunRecord
from tui_gpt.storage.manifest import CheckpointInfo, read_info

RunState = Literal["new", "running", "paused", "stopped", "finished", "failed", "interrupted", "damaged"]
"""`interrupted` is a running or paused run whose process is gone; the `run.json` of a `damaged` one is unreadable."""

Writer = Literal["", "here", "elsewhere"]
"""The process that holds a run's lock: none, this one, or another."""


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
    """Nats per token."""
    updated: float
    """Seconds since 1970."""
    path: Path
    has_checkpoint: bool
    best_is_estimate: bool = False
    """Whether `best_val_loss` was measured on fewer tokens than the loss of record."""
    best_val_tokens: int = 0
    """Validation tokens that `best_val_loss` was measured on; 0 if unknown."""
    best_bits_per_char: float | None = None
    """`best_val_loss` in bits per character, which compares runs with different tokenizers."""
    best_bits_per_byte: float | None = None
    note: str = ""
    """A line that the user wrote."""
    size: int = 0
    """Bytes of its files."""
    writer: Writer = ""
    writer_is_silent: bool = False
    """Whether the writer has given no sign of life for ten seconds: it is suspended or frozen."""


@dataclass
class Figures:
    """The figures of a run."""

    step: int = 0
    max_iters: int = 0
    best_val_loss: float | None = None
    best_is_estimate: bool = False
    best_val_tokens: int = 0
    token_size: TokenSize = ASCII_CHARACTER

    @classmethod
    def of(cls, record: RunRecord) -> "Figures":
        """Return the figures of a run's events.

        The last event repeats the best loss, for a log of which only the ends were read.
        """
        figures, best, finished = cls(record.step, record.max_iters), record.best, record.finished
        figures.token_size = record.token_size
        if best is not None:
            figures._set_best(best.val_loss, best.is_estimate, best.val_tokens)
        if finished is not None and finished.best_val_loss not in (None, figures.best_val_loss):
            figures._set_best(finished.best_val_loss, finished.best_is_estimate, 0)
        return figures

    def add_checkpoint(self, info: CheckpointInfo) -> None:
        """Complete the figures by those of a checkpoint."""
        self.step = max(self.step, info.step)
        self.max_iters = self.max_iters or info.max_iters
        self.token_size = info.token_size
        if self.best_val_loss is None or (self.best_val_loss == info.best_val_loss and not self.best_val_tokens):
            self._set_best(info.best_val_loss, info.best_is_estimate, info.best_tokens)

    @property
    def best_bits_per_char(self) -> float | None:
        """The best loss in bits per character."""
        return None if self.best_val_loss is None else self.token_size.bits_per_char(self.best_val_loss)

    @property
    def best_bits_per_byte(self) -> float | None:
        """The best loss in bits per byte."""
        return None if self.best_val_loss is None else self.token_size.bits_per_byte(self.best_val_loss)

    def _set_best(self, loss: float | None, is_estimate: bool, tokens: int) -> None:
        self.best_val_loss, self.best_is_estimate, self.best_val_tokens = loss, is_estimate, tokens


def figures_of(events: Iterable[Event], checkpoints: Iterable[Path]) -> Figures:
    """Fold events and the checkpoints in some folders into the figures of a run; skip unreadable checkpoints."""
    figures = Figures.of(RunRecord.of(events))
    for folder in checkpoints:
        with suppress(TuiGptError):
            figures.add_checkpoint(read_info(folder))
    return figures
