"""What to do when the loss becomes NaN or infinite: skip the step once, roll back once, then give up.

A single bad step can be an unlucky batch, so it is skipped. The second one returns to the newest evaluation with finite
losses at half the learning rate. Where that is depends on the step alone and never on the clock, so a resumed run does
the same. The third one ends the run.
"""

from collections.abc import Callable

from torch import Tensor

from tui_gpt.errors import DivergedError
from tui_gpt.events import Event, RolledBack, SettingChanged, StepSkipped
from tui_gpt.training.checkpoints.copies import Tensors
from tui_gpt.training.optim.gradients import is_finite
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import Snapshot, TrainerState

MAX_BAD_STEPS = 2
"""Steps with a NaN or infinite loss that a run survives: the first is skipped, the second rolls back."""


class NanGuard:
    """Watches the loss and the gradient norm of one run, and holds the snapshot that a roll-back returns to."""

    def __init__(
        self,
        state: TrainerState,
        settings: RunSettings,
        *,
        take_snapshot: Callable[[], Snapshot],
        restore: Callable[[Tensors, Tensors], None],
        good: Snapshot | None = None,
    ) -> None:
        """`restore` sets the weights, and the optimizer state and random generators, to those of a snapshot."""
        self._state = state
        self._settings = settings
        self._take_snapshot = take_snapshot
        self._restore = restore
        self._good = good

    def is_finite(self, loss: Tensor, grad_norm: Tensor) -> Tensor:
        """Return whether a step with this loss and gradient norm may change the weights: a boolean scalar."""
        return is_finite(loss, grad_norm)

    def remember(self) -> None:
        """Make the current state the one that a roll-back returns to."""
        self._state.good_step = self._state.step
        self._good = self._take_snapshot()

    def remember_start(self) -> None:
        """Make the current state the one that a roll-back returns to, unless a resumed run has one."""
        if self._good is None:
            self.remember()

    @property
    def good(self) -> Snapshot | None:
        """The snapshot that a roll-back returns to; None where it is the current state."""
        return self._good if self._state.good_step != self._state.step else None

    def handle_bad_step(self, step: int) -> list[Event]:
        """Skip step number `step` or roll back, and return the events to emit.

        Raises DivergedError for the third bad step.
        """
        self._state.bad_steps += 1
        if self._state.bad_steps > MAX_BAD_STEPS:
            raise DivergedError(
                f"the loss became NaN or infinite for the third time, at step {step:,}: the last good "
                "checkpoint is kept; resume it with --resume and a lower --learning-rate"
            )
        if self._state.bad_steps < MAX_BAD_STEPS:
            return [StepSkipped(step=step)]
        return self._roll_back(step)

    def _roll_back(self, step: int) -> list[Event]:
        """Return to the last good snapshot at half the learning rate; the number of steps is not reset."""
        good = self._good
        assert good is not None
        self._settings.halve_learning_rate()  # first: a rank that is lost while it takes the weights ends the run here
        self._restore(good.weights, good.training)
        rate, last_step = self._settings.config.learning_rate, max(step, self._state.step)
        return [
            RolledBack(step=step, to_step=good.state.step),
            SettingChanged(step=last_step, setting="learning_rate", value=rate, origin="trainer"),
        ]
