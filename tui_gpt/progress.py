"""The state of a run, folded from its events: the one reducer behind the progress line, the run list and the chart.

Live events and the events of a log go through the same `RunRecord.apply`, so a finished run looks exactly as it did
while it was training. Nothing here knows threads, widgets or the disk.
"""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Self

from tui_gpt.eta import EtaEstimator
from tui_gpt.events import (
    Evaluated,
    Event,
    Finished,
    Paused,
    Progress,
    Resumed,
    Sampled,
    Saved,
    SettingChanged,
    Started,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.formatting import token_noun
from tui_gpt.metrics import ASCII_CHARACTER, TokenSize
from tui_gpt.notices import Notice, notice_of

TrainingState = Literal["new", "running", "paused", "stopped", "finished"]

_MAX_SAMPLES = 500


def state_after(event: Event) -> TrainingState | None:
    """Return the state of a run after `event`; None for an event that does not change it."""
    match event:
        case Started() | Resumed():
            return "running"
        case Paused():
            return "paused"
        case Finished(reason="stopped"):
            return "stopped"
        case Finished():
            return "finished"
        case _:
            return None


@dataclass
class RunRecord:
    """The state of a run, as reported by its events."""

    state: TrainingState = "new"
    step: int = 0
    """The newest step that an event reported."""
    max_iters: int = 0
    """0 while it is unknown."""
    learning_rate: float | None = None
    """The newest peak learning rate, if it was changed during the run."""
    started: Started | None = None
    progress: Progress | None = None
    evaluations: list[Evaluated] = field(default_factory=list)
    """At most one per step, in the order of the steps. They may arrive in another order: the best model may be measured
    again at the end."""
    bests: list[Evaluated] = field(default_factory=list)
    """Evaluations with `is_best`, in the order of their arrival."""
    samples: list[Sampled] = field(default_factory=list)
    saved: Saved | None = None
    finished: Finished | None = None
    warning: str | None = None
    """The storage problem of the moment."""
    notices: list[Notice] = field(default_factory=list)
    """What the user should read, in the order of its arrival."""
    _eta: EtaEstimator = field(default_factory=EtaEstimator, repr=False)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Return the record of a complete log."""
        record = cls()
        record.apply_all(events)
        return record

    def apply_all(self, events: Iterable[Event]) -> None:
        """Fold in several events, in order."""
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Fold in the next event."""
        if isinstance(event, Started):
            self._start(event)
        self.state = state_after(event) or self.state
        self.step = max(self.step, event.step)
        notice = notice_of(event)
        if notice is not None:
            self.notices.append(notice)
        self._take(event)

    def _start(self, event: Started) -> None:
        self._forget_after(event.step)
        self.step, self.max_iters = event.step, event.max_iters
        self.started, self.progress, self.finished, self._eta = event, None, None, EtaEstimator()
        self.warning = None

    def _forget_after(self, step: int) -> None:
        """Drop what came after the checkpoint that a run was resumed from."""
        self.evaluations = [one for one in self.evaluations if one.step <= step]
        self.bests = [one for one in self.bests if one.step <= step]
        self.samples = [one for one in self.samples if one.step <= step]
        self.notices = [one for one in self.notices if one.step <= step]

    def _take(self, event: Event) -> None:
        match event:
            case Progress():
                self.progress = event
                self._eta.mark(event.step, event.elapsed_seconds)
            case Evaluated():
                self._evaluate(event)
            case Sampled():
                self.samples = [*self.samples[1 - _MAX_SAMPLES :], event]
            case Saved():
                self.saved = event
            case SettingChanged(setting="max_iters", value=int(max_iters)):
                self.max_iters = max_iters
            case SettingChanged(setting="learning_rate", value=float(rate)):
                self.learning_rate = rate
            case StorageProblem():
                self.warning = event.problem
            case StorageRecovered():
                self.warning = None
            case Finished():
                self.finished = event

    def _evaluate(self, event: Evaluated) -> None:
        """Keep the newest evaluation of a step, but never replace the loss of record by an estimate.

        An evaluation after the end means that training has continued.
        """
        self.finished = None
        if event.is_best:
            self.bests.append(event)
        place = bisect.bisect_left(self.evaluations, event.step, key=lambda one: one.step)
        there = self.evaluations[place : place + 1]
        if not there or there[0].step != event.step:
            self.evaluations.insert(place, event)
        elif there[0].is_estimate or not event.is_estimate:
            self.evaluations[place] = event

    @property
    def unit(self) -> str:
        """What a token of the run is: `character`, `byte` or `token`; its losses are in nats per that."""
        return token_noun(self.started.tokenizer if self.started else "character")

    @property
    def token_size(self) -> TokenSize:
        """How much of the validation text a token holds."""
        return self.started.token_size if self.started else ASCII_CHARACTER

    @property
    def best(self) -> Evaluated | None:
        """The newest evaluation of the best model."""
        return self.bests[-1] if self.bests else None

    @property
    def evaluation(self) -> Evaluated | None:
        """The evaluation of the highest step."""
        return self.evaluations[-1] if self.evaluations else None

    @property
    def fraction_done(self) -> float:
        """The part of the run's steps that is done, 0 to 1; 0 while `max_iters` is unknown."""
        return min(1.0, self.step / self.max_iters) if self.max_iters else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds from the newest progress event to the last step, at the recent pace; None while that is unknown."""
        return self._eta.seconds_left(self.max_iters)

    def sample_at(self, step: float) -> Sampled | None:
        """Return the newest sample written at or before `step`; the first one if there is none."""
        earlier = [one for one in self.samples if one.step <= step]
        return earlier[-1] if earlier else next(iter(self.samples), None)

    def evaluation_at(self, step: float) -> Evaluated | None:
        """Return the newest evaluation at or before `step`."""
        return next((one for one in reversed(self.evaluations) if one.step <= step), None)

    def extent_of(self, evaluation: Evaluated) -> str:
        """Return the part of the validation split that was read, e.g. `on 8,192 of 111,540 characters`; "" for all."""
        whole = self.started.val_tokens if self.started else evaluation.val_tokens
        return f"on {evaluation.val_tokens:,} of {whole:,} {self.unit}s" if evaluation.val_tokens < whole else ""
