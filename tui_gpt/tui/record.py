"""What is known of one run, gathered from its events: the one thing the chart, the status and the sample strip draw.

Live events and a replay from disk go through the same `apply`, so an old run looks exactly as it did while it ran.
It knows nothing of threads, widgets or the disk.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from tui_gpt.config import RunConfig
from tui_gpt.events import Changed, Evaluated, Event, Finished, Paused, Progress, Resumed, Sampled, Saved, Started
from tui_gpt.tui.series import Series

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
    train: Series = field(default_factory=Series)
    evaluations: list[Evaluated] = field(default_factory=list)
    samples: list[Sampled] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    progress: Progress | None = None
    best: Evaluated | None = None
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
                self.evaluations.append(event)
                if event.is_best:
                    self.best = event
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
            case Changed():
                self._change(event)
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
        self.best = next((one for one in reversed(self.evaluations) if one.is_best), None)

    def _change(self, event: Changed) -> None:
        if event.setting == "storage_problem":
            self.warning = None if event.value is None else str(event.value)
            return
        if event.setting == "max_iters" and isinstance(event.value, int):
            self.max_iters = event.value
        if event.setting in ("max_iters", "max_seconds"):
            return
        if event.setting == "compile_problem":
            self.marks.append(Mark(event.step, "◆", "not compiled"))
            return
        value = f"{event.value:g}" if isinstance(event.value, float) else str(event.value)
        self.marks.append(Mark(event.step, "◆", f"{event.setting} {value}"))

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
        return SHAKESPEARE_REFERENCES if self.config.corpus == "tinyshakespeare" else ()

    def sample_at(self, step: float) -> Sampled | None:
        """The newest sample written at or before `step`; the first one if there is none."""
        earlier = [one for one in self.samples if one.step <= step]
        return earlier[-1] if earlier else next(iter(self.samples), None)

    def evaluation_at(self, step: float) -> Evaluated | None:
        """The newest evaluation at or before `step`."""
        return next((one for one in reversed(self.evaluations) if one.step <= step), None)
