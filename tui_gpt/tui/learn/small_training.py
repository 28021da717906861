"""A training of half a minute in a temporary folder, which is removed with its end: no run is stored.

It is polled by a screen; the training itself is in a thread, as in the Train tab.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tui_gpt.config import ModelConfig, RunConfig, TrainConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.events import Event, Progress
from tui_gpt.requests import TrainRequest
from tui_gpt.session import SessionLike
from tui_gpt.tui.train.feed import RunThread
from tui_gpt.tui.train.record import Reference, RunView

MAX_SECONDS = 40.0
"""After which the training is stopped: a slow computer makes fewer steps.

A time budget of the run itself would be refused where it leaves only a few steps."""
_STEPS = 300
_LEAVING_SECONDS = 3.0
"""How long the lesson waits for a step to end before it is left."""
_MODEL = ModelConfig(architecture="modern", block_size=64, n_layer=2, n_head=2, n_embd=64)


@dataclass(frozen=True)
class Exercise:
    """What to train on, and how."""

    text: str
    new_text: str
    """For the validation loss."""
    learning_rate: float = 0.02

    def config(self, folder: Path) -> RunConfig:
        """Return the settings of a run on the texts that are written into a folder."""
        train = TrainConfig(
            max_iters=_STEPS, batch_size=16, optimizer="muon", schedule="constant",
            learning_rate=self.learning_rate, warmup_iters=5, grad_clip=0.0, eval_interval=30,
            log_interval=2, sample_interval=10, val_file=str(folder / "new.txt"), device="cpu",
        )  # fmt: skip
        return RunConfig(preset="lesson", corpus=str(folder / "text.txt"), model=_MODEL, train=train)


@dataclass
class LessonRun(RunView):
    """A run with the losses of the lesson's earlier screens to compare with."""

    earlier: tuple[Reference, ...] = field(default=())

    @property
    def references(self) -> tuple[Reference, ...]:
        """The losses of guessing and of counting."""
        return self.earlier


class _Thread(RunThread):
    """Trains in a temporary folder."""

    def __init__(self, session: SessionLike, exercise: Exercise) -> None:
        super().__init__("lesson")
        self._session = session
        self._exercise = exercise

    def _events(self) -> Iterator[Event]:
        with tempfile.TemporaryDirectory(prefix="tui-gpt-lesson-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "text.txt").write_text(self._exercise.text, "utf-8", newline="\n")
            (folder / "new.txt").write_text(self._exercise.new_text, "utf-8", newline="\n")
            request = TrainRequest(config=self._exercise.config(folder), model_path=folder / "run")
            yield from self._session.train(request, self.control)

    def _note(self, event: Event) -> None:
        """Stop the training when its time is over."""
        if isinstance(event, Progress) and event.elapsed_seconds >= MAX_SECONDS:
            self.control.stop()


class SmallTraining:
    """One training, in progress or ended."""

    def __init__(self, session: SessionLike, exercise: Exercise, earlier: tuple[Reference, ...] = ()) -> None:
        """Start it."""
        self.exercise = exercise
        self.record = LessonRun(name="lesson", earlier=earlier)
        self.failure = ""
        self._has_ended = False
        self._thread = _Thread(session, exercise)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive

    @property
    def control(self) -> Control:
        """Its control."""
        return self._thread.control

    def poll(self) -> bool:
        """Take the events since the last call; return whether anything has changed."""
        is_ending = not self._thread.is_alive and not self._has_ended  # checked first: later events are taken next time
        events = self._thread.drain()
        self.record.apply_all(events)
        if is_ending:
            self._has_ended = True
            self.failure = "" if self._thread.error is None else _sentence_of(self._thread.error)
        return is_ending or bool(events)

    def stop(self) -> None:
        """End it after the present step."""
        self._thread.control.stop()

    def leave(self) -> None:
        """End it and wait for a moment, so that its folder is removed."""
        self.stop()
        self._thread.wait(_LEAVING_SECONDS)


def _sentence_of(error: Exception) -> str:
    if isinstance(error, TuiGptError):
        return str(error)
    return f"the training failed ({type(error).__name__}: {error}): start it again, or run `tui-gpt doctor`"
