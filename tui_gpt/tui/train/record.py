"""A run as the Train tab shows it: its `RunRecord`, and what only the screen needs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from tui_gpt.config import RunConfig
from tui_gpt.events import (
    Evaluated,
    Event,
    Progress,
    RequestRefused,
    RolledBack,
    Saved,
    SettingChanged,
    Started,
    StepSkipped,
)
from tui_gpt.formatting import format_loss
from tui_gpt.metrics import ASCII_CHARACTER, TokenSize
from tui_gpt.notices import Notice, NoticeKind
from tui_gpt.progress import RunRecord, TrainingState, state_after
from tui_gpt.tui.train.series import Series

Phase = Literal["loading", "running", "pausing", "paused", "stopping", "finished", "failed", "replayed"]

_PHASES: dict[TrainingState, Phase] = {
    "new": "loading", "running": "running", "paused": "paused", "stopped": "finished", "finished": "finished",
}  # fmt: skip
_SYMBOLS: dict[NoticeKind, str] = {
    "started": "▸", "paused": "‖", "resumed": "▸", "changed": "◆", "warning": "!", "recovered": "◆",
}  # fmt: skip
_ROLLBACK, _CHECKPOINT, _EARLY_STOP = "«", "▪", "■"
_SMALL_LIMIT = 16_384
"""Values of the small charts that are kept."""
_MAX_CHECKPOINTS = 500


@dataclass(frozen=True)
class Mark:
    """A symbol on the chart's axis, with a few words that the cursor shows."""

    step: int
    symbol: str
    text: str

    @classmethod
    def of(cls, notice: Notice) -> "Mark":
        """Return the mark of a notice that has a label."""
        is_rollback = notice.label.startswith("rolled back")
        return cls(notice.step, _ROLLBACK if is_rollback else _SYMBOLS[notice.kind], notice.label)


@dataclass(frozen=True)
class Reference:
    """A loss to compare with."""

    loss: float
    name: str

    @property
    def label(self) -> str:
        """The name and the loss."""
        return f"{self.name} {self.loss:.2f}"


SHAKESPEARE_REFERENCES = (Reference(4.174, "guessing"), Reference(1.88, "nanoGPT"), Reference(1.514, "7-gram"))
"""Validation losses on TinyShakespeare, in nats per character: ln 65; nanoGPT's CPU recipe; modified Kneser-Ney."""


@dataclass
class RunView(RunRecord):
    """A run on the screen. The owner sets `phase` where no event does."""

    name: str = ""
    config: RunConfig = field(default_factory=RunConfig)
    phase: Phase = "loading"
    train: Series = field(default_factory=Series)
    """The training loss by step."""
    bits: Series = field(default_factory=Series)
    """The training loss in bits per character by step."""
    rates: Series = field(default_factory=lambda: Series(_SMALL_LIMIT))
    """The learning rate by step."""
    grad_norms: Series = field(default_factory=lambda: Series(_SMALL_LIMIT))
    """The norm of the gradient by step."""
    speeds: Series = field(default_factory=lambda: Series(_SMALL_LIMIT))
    """The characters per second by step; with another tokenizer, about that many."""
    measured: list[Evaluated] = field(default_factory=list)
    """Every evaluation in the order of its arrival; those of `evaluations` may have replaced earlier ones."""
    problems: list[StepSkipped | RolledBack] = field(default_factory=list)
    """Steps whose loss or gradient was not finite."""
    checkpoints: list[int] = field(default_factory=list)
    """The steps of the newest checkpoints."""
    rate_changed_at: int = 0
    """The step at which the learning rate last left its schedule: a change by the user or the trainer, or a resume,
    which may come with more steps."""
    version: int = 0
    """Changes with every event."""
    _seconds_before: float = 0.0
    """Seconds of training before it was last resumed."""
    failure: str | None = None
    """Why the run failed, in one sentence."""
    writer: str = ""
    """The other process that trains the run, e.g. `process 1234`; empty for a run of this app."""

    @classmethod
    def replay(cls, name: str, config: RunConfig, events: Iterable[Event]) -> "RunView":
        """Return the view of a run that has ended, or that another process is training."""
        view = cls(name=name, config=config)
        view.apply_all(events)
        view.phase = "replayed"
        return view

    def apply(self, event: Event) -> None:
        """Fold in the next event."""
        super().apply(event)
        self.version += 1
        match event:
            case Progress():
                self._add_point(event)
            case Started():
                self._cut(event.step)
            case Evaluated():
                self.measured.append(event)
            case StepSkipped() | RolledBack():
                self.problems.append(event)
                self.train.add_gap(event.step)
            case SettingChanged(setting="learning_rate" | "max_iters"):
                self.rate_changed_at = event.step
            case Saved():
                self.checkpoints = [*self.checkpoints[1 - _MAX_CHECKPOINTS :], event.step]
            case RequestRefused():
                self.phase = _PHASES[self.state]
        state = state_after(event)
        if state is not None:
            self.phase = _PHASES[state]

    @property
    def curves(self) -> tuple[Series, ...]:
        """Everything that is measured with each progress event."""
        return self.train, self.bits, self.rates, self.grad_norms, self.speeds

    def _add_point(self, event: Progress) -> None:
        seconds = self._seconds_before + event.elapsed_seconds
        newest = self.train.last_seconds
        if seconds < newest:
            self._seconds_before += newest - seconds
            seconds = newest
        size = self.token_size
        speed = event.tokens_per_second * size.characters
        values = (event.loss, size.bits_per_char(event.loss), event.learning_rate, event.grad_norm, speed)
        for series, value in zip(self.curves, values, strict=True):
            series.add(event.step, value, seconds)

    def _cut(self, step: int) -> None:
        """Forget what came after the checkpoint that the run was resumed from."""
        if step == 0:
            self._seconds_before = 0.0
        for series in self.curves:
            series.cut(step)
        self.measured = [one for one in self.measured if one.step <= step]
        self.problems = [one for one in self.problems if one.step <= step]
        self.checkpoints = [one for one in self.checkpoints if one <= step]
        self.rate_changed_at = step

    @property
    def characters_per_step(self) -> float:
        """The characters that are read in one step by one process; with another tokenizer, about that many."""
        train = self.config.train
        tokens = train.batch_size * train.gradient_accumulation * self.config.model.block_size
        return tokens * self.token_size.characters

    @property
    def is_live(self) -> bool:
        """Whether it is being trained, by a worker of this app or by the process that the app follows."""
        return self.phase in ("loading", "running", "pausing", "paused", "stopping")

    @property
    def references(self) -> tuple[Reference, ...]:
        """Losses to compare with, in the run's nats per token: published ones per character, and that of guessing."""
        if self._is_published and self.config.model.tokenizer == "character":
            return SHAKESPEARE_REFERENCES
        guessing = self.guessing_loss
        return (Reference(guessing, "guessing"),) if guessing else ()

    @property
    def bit_references(self) -> tuple[Reference, ...]:
        """Losses to compare with in bits per character, published ones for a run with any tokenizer."""
        if self._is_published:
            return _in_bits(SHAKESPEARE_REFERENCES, ASCII_CHARACTER)
        return _in_bits(self.references, self.token_size)

    @property
    def _is_published(self) -> bool:
        """Whether there are published losses for its validation text."""
        return self.config.corpus == "tinyshakespeare" and self.config.train.has_standard_split

    @property
    def guessing_loss(self) -> float | None:
        """The loss of guessing each token with equal probabilities, ln V; None while V is unknown."""
        return math.log(self.started.vocab_size) if self.started and self.started.vocab_size > 1 else None

    @property
    def marks(self) -> list[Mark]:
        """The chart's marks, the most important last."""
        saved = [Mark(step, _CHECKPOINT, "checkpoint") for step in self.checkpoints]
        noticed = [Mark.of(notice) for notice in self.notices if notice.label]
        return [*saved, *noticed, *self._early_stop()]

    def _early_stop(self) -> list[Mark]:
        is_early = self.finished is not None and self.finished.reason == "early_stop"
        return [Mark(self.step, _EARLY_STOP, "stopped early")] if is_early else []

    def marks_between(self, first: float, last: float) -> list[Mark]:
        """Return the marks of the steps from `first` to `last`."""
        return [mark for mark in self.marks if first <= mark.step <= last]


def _in_bits(references: Iterable[Reference], size: TokenSize) -> tuple[Reference, ...]:
    return tuple(Reference(size.bits_per_char(one.loss), one.name) for one in references)


def loss_words(evaluation: Evaluated, digits: int = 3) -> str:
    """Return a validation loss in nats per token, e.g. `1.452`; an estimate as `~1.452`."""
    return format_loss(evaluation.val_loss, is_estimate=evaluation.is_estimate, digits=digits)
