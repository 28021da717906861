"""What is known of one run, gathered from its events: the one thing the chart, the status and the sample strip draw.

Live events and a replay from disk go through the same `apply`, so an old run looks exactly as it did while it ran.
It knows nothing of threads, widgets or the disk.
"""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from tui_gpt.config import RunConfig
from tui_gpt.events import (
    ChangeRefused,
    CompileFailed,
    Evaluated,
    Event,
    Finished,
    Initialized,
    Paused,
    Progress,
    Resumed,
    ResumeDiffers,
    RolledBack,
    Sampled,
    Saved,
    SettingChanged,
    SettingValue,
    Started,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.formatting import format_loss
from tui_gpt.tui.train.series import Series

Phase = Literal["loading", "running", "pausing", "paused", "stopping", "finished", "failed", "replayed"]

_SAMPLES_KEPT = 500


@dataclass(frozen=True)
class Mark:
    """Something that happened at a step and is worth a sign on the axis."""

    step: int
    sign: str
    text: str


@dataclass(frozen=True)
class Reference:
    """A loss to compare with, in nats per character."""

    loss: float
    label: str


SHAKESPEARE_REFERENCES = (
    Reference(4.174, "guessing 4.17"),
    Reference(1.88, "nanoGPT 1.88"),
    Reference(1.514, "7-gram 1.51"),
)
"""Validation losses on TinyShakespeare: ln 65; nanoGPT's CPU recipe; a modified Kneser-Ney 7-gram."""


@dataclass
class RunRecord:
    """A run as far as its events tell. The owner sets `phase` where no event does."""

    name: str = ""
    config: RunConfig = field(default_factory=RunConfig)
    phase: Phase = "loading"
    started: Started | None = None
    max_iters: int | None = None
    learning_rate: float | None = None
    """The newest peak rate, where it is no longer the one of `config`."""
    train: Series = field(default_factory=Series)
    evaluations: list[Evaluated] = field(default_factory=list)
    """One for each step, in the order of the steps. They may arrive in another order: the best model may be measured
    again at the end."""
    samples: list[Sampled] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    progress: Progress | None = None
    bests: list[Evaluated] = field(default_factory=list)
    """Evaluations of a model that was the best so far, in the order of their arrival."""
    saved: Saved | None = None
    finished: Finished | None = None
    failure: str | None = None
    """The sentence that says why it ended badly."""
    warning: str | None = None
    """What is wrong at the moment, though training goes on."""

    @classmethod
    def replay(cls, name: str, config: RunConfig, events: Iterable[Event]) -> "RunRecord":
        """The record of a run that is over, or that another process is working on."""
        record = cls(name=name, config=config)
        record.apply_all(events)
        record.phase = "replayed"
        return record

    def apply_all(self, events: Iterable[Event]) -> None:
        """Take in several events, in order."""
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        match event:
            case Started():
                self._start(event)
            case Progress():
                self.progress = event
                self.train.add(event.step, event.loss)
            case Evaluated():
                self._evaluate(event)
            case Sampled():
                self.samples = [*self.samples[-_SAMPLES_KEPT:], event]
            case Saved():
                self.saved = event
            case Paused():
                self.marks.append(Mark(event.step, "‖", "paused"))
                self.phase = "paused"
            case Resumed():
                self.marks.append(Mark(event.step, "▸", "resumed"))
                self.phase = "running"
            case SettingChanged():
                self._change(event)
            case ChangeRefused():
                self.marks.append(Mark(event.step, "!", f"{event.setting} not changed"))
            case StepSkipped():
                self.marks.append(Mark(event.step, "!", "step skipped (NaN)"))
            case RolledBack():
                self.marks.append(Mark(event.step, "!", f"rolled back to step {event.to_step:,}"))
            case StorageProblem():
                self.warning = event.problem
            case StorageRecovered():
                self.warning = None
            case CompileFailed():
                self.marks.append(Mark(event.step, "!", "not compiled"))
            case Initialized():
                self.marks.append(Mark(event.step, "◆", initialized_words(event)))
            case ResumeDiffers():
                self.marks.append(Mark(event.step, "!", "computed differently than before the interruption"))
            case Finished():
                self.finished = event
                self.phase = "finished"

    def _start(self, event: Started) -> None:
        if event.step:
            self._forget_after(event.step)
            self.progress = None
            self.marks.append(Mark(event.step, "▸", "resumed"))
        self.started, self.max_iters, self.finished, self.phase = event, event.max_iters, None, "running"

    def _forget_after(self, step: int) -> None:
        """A resumed run starts at its last checkpoint; what came after it did not happen."""
        self.train.cut(step)
        self.evaluations = [one for one in self.evaluations if one.step <= step]
        self.samples = [one for one in self.samples if one.step <= step]
        self.marks = [one for one in self.marks if one.step <= step]
        self.bests = [one for one in self.bests if one.step <= step]

    def _evaluate(self, event: Evaluated) -> None:
        """Keep one evaluation for each step: the newest, but never an estimate in place of the loss of record."""
        if event.is_best:
            self.bests.append(event)
        place = bisect.bisect_left(self.evaluations, event.step, key=lambda one: one.step)
        there = self.evaluations[place : place + 1]
        if not there or there[0].step != event.step:
            self.evaluations.insert(place, event)
        elif there[0].is_estimate or not event.is_estimate:
            self.evaluations[place] = event

    def _change(self, event: SettingChanged) -> None:
        match event.setting, event.value:
            case "max_iters", int(steps):
                self.max_iters = steps
            case "learning_rate", float(rate):
                self.learning_rate = rate
        mark = mark_of(event)
        if mark is not None:
            self.marks.append(mark)

    @property
    def best(self) -> Evaluated | None:
        """What was measured of the best model, in its newest measurement."""
        return self.bests[-1] if self.bests else None

    @property
    def step(self) -> int:
        """The last step that an event told of."""
        events = (self.progress, self.started, self.finished, self.evaluations[-1] if self.evaluations else None)
        return max((event.step for event in events if event is not None), default=0)

    @property
    def is_live(self) -> bool:
        """Whether a worker of this app is busy with it."""
        return self.phase in ("loading", "running", "pausing", "paused", "stopping")

    @property
    def references(self) -> tuple[Reference, ...]:
        """Published losses to compare with; none for a text that nobody published on."""
        is_comparable = self.config.corpus == "tinyshakespeare" and self.config.train.has_standard_split
        return SHAKESPEARE_REFERENCES if is_comparable else ()

    def sample_at(self, step: float) -> Sampled | None:
        """The newest sample written at or before `step`; the first one if there is none."""
        earlier = [one for one in self.samples if one.step <= step]
        return earlier[-1] if earlier else next(iter(self.samples), None)

    def extent_of(self, evaluation: Evaluated) -> str:
        """The part of the validation split that was measured, e.g. `on 8,192 of 111,540 characters`; empty for all."""
        whole = self.started.val_tokens if self.started else evaluation.val_tokens
        return f"on {evaluation.val_tokens:,} of {whole:,} characters" if evaluation.val_tokens < whole else ""

    def marks_between(self, first: float, last: float) -> list[Mark]:
        """What happened at the steps from `first` to `last`."""
        return [mark for mark in self.marks if first <= mark.step <= last]

    def evaluation_at(self, step: float) -> Evaluated | None:
        """The newest evaluation at or before `step`."""
        return next((one for one in reversed(self.evaluations) if one.step <= step), None)


def mark_of(event: SettingChanged) -> Mark | None:
    """The mark of a changed setting, if it is worth one: the time budget's own corrections are not."""
    if event.origin == "plan" or (event.setting, event.value) == ("max_seconds", None):
        return None
    return Mark(event.step, "◆", _changed_words(event.setting, event.value))


def _changed_words(setting: str, value: SettingValue) -> str:
    match setting:
        case "learning_rate":
            return f"lr {short_number(value)}"
        case "max_iters":
            return f"up to step {short_number(value)}"
        case "max_seconds":
            return f"time budget {short_number(value)} s"
        case _:
            return f"{setting} {short_number(value)}"


def short_number(value: SettingValue) -> str:
    """`5e-4`, `0.02`, `1,000`; anything but a number as it is."""
    if isinstance(value, float) and 0.0 < abs(value) < 0.01:
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def initialized_words(event: Initialized) -> str:
    """Where a run's first weights came from, and which characters they do not cover."""
    new = f"; new characters: {event.new_characters}" if event.new_characters else ""
    return f"started from {event.source}{new}"


def loss_words(evaluation: Evaluated, digits: int = 3) -> str:
    """A validation loss in nats per character, e.g. `1.452`; an estimate as `~1.452`."""
    return format_loss(evaluation.val_loss, is_estimate=evaluation.is_estimate, digits=digits)
