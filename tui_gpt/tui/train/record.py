"""A run as the Train tab shows it: its `RunRecord`, and what only the screen needs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from tui_gpt.config import RunConfig
from tui_gpt.events import Evaluated, Event, Progress, RequestRefused, Started
from tui_gpt.formatting import format_loss
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


@dataclass(frozen=True)
class Mark:
    """A symbol on the chart's axis, with a few words that the cursor shows."""

    step: int
    symbol: str
    text: str

    @classmethod
    def of(cls, notice: Notice) -> "Mark":
        """Return the mark of a notice that has a label."""
        return cls(notice.step, _SYMBOLS[notice.kind], notice.label)


@dataclass(frozen=True)
class Reference:
    """A published loss to compare with, in nats per character."""

    loss: float
    label: str


SHAKESPEARE_REFERENCES = (
    Reference(4.174, "guessing 4.17"),
    Reference(1.88, "nanoGPT 1.88"),
    Reference(1.514, "7-gram 1.51"),
)
"""Validation losses on TinyShakespeare: ln 65; nanoGPT's CPU recipe; a modified Kneser-Ney 7-gram."""


@dataclass
class RunView(RunRecord):
    """A run on the screen. The owner sets `phase` where no event does."""

    name: str = ""
    config: RunConfig = field(default_factory=RunConfig)
    phase: Phase = "loading"
    train: Series = field(default_factory=Series)
    """The training loss by step."""
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
        match event:
            case Progress():
                self.train.add(event.step, event.loss)
            case Started():
                self.train.cut(event.step)
            case RequestRefused():
                self.phase = _PHASES[self.state]
        state = state_after(event)
        if state is not None:
            self.phase = _PHASES[state]

    @property
    def is_live(self) -> bool:
        """Whether it is being trained, by a worker of this app or by the process that the app follows."""
        return self.phase in ("loading", "running", "pausing", "paused", "stopping")

    @property
    def references(self) -> tuple[Reference, ...]:
        """Published losses to compare with; none for a text without any."""
        is_comparable = self.config.corpus == "tinyshakespeare" and self.config.train.has_standard_split
        return SHAKESPEARE_REFERENCES if is_comparable else ()

    @property
    def marks(self) -> list[Mark]:
        """The chart's marks, in the order of their events."""
        return [Mark.of(notice) for notice in self.notices if notice.label]

    def marks_between(self, first: float, last: float) -> list[Mark]:
        """Return the marks of the steps from `first` to `last`."""
        return [mark for mark in self.marks if first <= mark.step <= last]


def loss_words(evaluation: Evaluated, digits: int = 3) -> str:
    """Return a validation loss in nats per character, e.g. `1.452`; an estimate as `~1.452`."""
    return format_loss(evaluation.val_loss, is_estimate=evaluation.is_estimate, digits=digits)
