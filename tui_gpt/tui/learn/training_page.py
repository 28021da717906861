"""What the two screens that train have in common: start and stop, a chart, and the sample of the model."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui_gpt.escaping import escape_controls
from tui_gpt.events import Sampled
from tui_gpt.tui.keys import keymap_of
from tui_gpt.tui.learn.material import Material
from tui_gpt.tui.learn.page import Data, Direction, LessonPage
from tui_gpt.tui.learn.small_training import MAX_SECONDS, Exercise, SmallTraining
from tui_gpt.tui.train.chart.loss_chart import LossChart
from tui_gpt.tui.train.record import Reference

_POLL_SECONDS = 0.2


class TrainingPage(LessonPage[Data]):
    """A training that the reader starts; its variants are chosen by ← →."""

    USES = frozenset({"change", "again"})
    VARIANTS: ClassVar[int]

    def __init__(self, material: Material) -> None:
        super().__init__(material)
        self.variant = 0
        self.training: SmallTraining | None = None
        self.results: dict[int, tuple[float, float]] = {}
        """The last training and validation loss of each variant that was trained."""
        self.picture.add_class("-sample")
        self.chart = LossChart()
        self.chart.can_focus = False

    @abstractmethod
    def exercise(self) -> Exercise:
        """Return what to train; all figures that it needs have been computed."""

    @abstractmethod
    def variant_words(self) -> Content:
        """Return a line with the variants, the present one marked."""

    def picture_widgets(self) -> ComposeResult:
        """Lay out the line of variants, the chart and the sample."""
        yield Static("", classes="lesson-variants", markup=False)
        yield self.chart
        yield self.picture

    def on_mount(self) -> None:
        """Look for events of the training."""
        super().on_mount()
        self.chart.message = keymap_of(self).fill("{learn.again} starts the training")
        self.set_interval(_POLL_SECONDS, self._poll)

    def change(self, by: Direction) -> None:
        """Choose another variant, unless one is being trained."""
        if not self.is_training:
            self.variant = min(max(0, self.variant + by), self.VARIANTS - 1)
            self.recompute()

    @property
    def is_training(self) -> bool:
        """Whether a training is in progress."""
        return self.training is not None and self.training.is_running

    def again(self) -> None:
        """Start the training, or stop it."""
        if self.data is None:
            return
        if self.training is not None and self.training.is_running:
            self.training.stop()
        else:
            self.training = SmallTraining(self.material.session, self.exercise(), self.references())
            self.chart.message = "the training begins …"
            self.chart.show(self.training.record)
        self.show()

    def references(self) -> tuple[Reference, ...]:
        """Return the losses of earlier screens."""
        return (Reference(self.material.guess_loss, "guessing"), Reference(self.material.loss(2), "pairs"))

    def on_unmount(self) -> None:
        """End the training with the app."""
        self.leave()

    def leave(self) -> None:
        """End the training."""
        if self.training is not None:
            self.training.leave()

    def _poll(self) -> None:
        if self.training is None or not self.training.poll():
            return
        record = self.training.record
        if not self.is_training and record.evaluations:
            newest = record.evaluations[-1]
            self.results[self.variant] = (newest.train_loss, newest.val_loss)
        self.chart.show(record)
        self.show()

    def show(self) -> None:
        """Show the line of variants, too."""
        super().show()
        if self.data is not None and self.is_mounted:
            self._update(".lesson-variants", self.variant_words())

    @property
    def sample(self) -> Sampled | None:
        """The newest text of the model."""
        samples: Sequence[Sampled] = self.training.record.samples if self.training is not None else ()
        return samples[-1] if samples else None

    @property
    def cut_short(self) -> str:
        """Return a sentence on why the training ended before its last step, "" if it did not or was stopped."""
        record = None if self.training is None or self.training.is_running else self.training.record
        if record is None or record.started is None or record.progress is None:
            return ""
        steps = record.started.max_iters
        if record.step >= steps or record.progress.elapsed_seconds < MAX_SECONDS:
            return ""
        place = f"step {record.step} of {steps}"
        return f"The {MAX_SECONDS:.0f} seconds were over at {place}: this computer is slow, or busy. "

    def status(self) -> str:
        """Return in a few words what the training does."""
        if self.training is None:
            return ""
        if self.training.failure:
            return escape_controls(self.training.failure)
        activity = self.training.control.activity
        if self.training.is_running and self.training.record.started is None:
            return f"{activity.name} …" if activity is not None else "starting …"
        if not self.training.is_running and self.sample is None:
            return "It ended before the model wrote a text: stopped, or the computer is busy. Start it again."
        return ""
