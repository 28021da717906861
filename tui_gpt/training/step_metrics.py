"""The training loss, the gradient norm and the speed that a progress event reports.

The loss is summed on the device, in double precision where it has one, and read once per event, because reading it
waits for a GPU. The
sums are part of every checkpoint, so a run that is stopped between two progress events reports the same mean.
"""

import torch
from torch import Tensor

from tui_gpt.events import Progress
from tui_gpt.training.clock import RunClock
from tui_gpt.training.compute.device import sum_dtype
from tui_gpt.training.state import TrainerState


class StepMetrics:
    """Metrics of the steps since the last progress event."""

    def __init__(self, state: TrainerState, clock: RunClock, device: torch.device) -> None:
        self._state = state
        self._clock = clock
        self._loss_sum = torch.zeros((), dtype=sum_dtype(device), device=device)
        self._loss_sum += state.loss_sum
        self._grad_norm = torch.tensor(state.grad_norm, device=device)
        self._timed_from, self._timed_from_step = clock.seconds(), state.step

    def add(self, loss: Tensor, grad_norm: Tensor, is_finite: Tensor | None = None) -> None:
        """Add one step: its mean loss in nats per character, and the gradient's norm before clipping.

        With `is_finite`, a boolean scalar on the device, only where it is true; see `uncount`.
        """
        if is_finite is not None:
            loss = torch.where(is_finite, loss, 0.0)
            grad_norm = torch.where(is_finite, grad_norm, self._grad_norm)
        self._loss_sum += loss
        self._state.loss_count += 1
        self._grad_norm = grad_norm

    def uncount(self, steps: int) -> None:
        """Subtract steps from the count that were added and turned out not to be finite."""
        self._state.loss_count -= steps

    def is_due(self, interval: int) -> bool:
        """Return whether to report: every `interval` steps and after the last one, if any step was made since."""
        return self.is_time(interval) and self._state.loss_count > 0

    def is_time(self, interval: int) -> bool:
        """Return whether this is one of those steps."""
        return self._state.step % interval == 0 or self._state.step == self._state.max_iters

    def progress(self, learning_rate: float, tokens_per_step: int) -> Progress:
        """Return the progress since the last call, and start again at zero."""
        seconds = self._clock.seconds()
        steps = self._state.step - self._timed_from_step
        progress = Progress(
            step=self._state.step,
            loss=float(self._loss_sum) / self._state.loss_count,
            learning_rate=learning_rate,
            grad_norm=float(self._grad_norm),
            tokens_per_second=tokens_per_step * steps / max(seconds - self._timed_from, 1e-9),
            elapsed_seconds=seconds,
        )
        self._loss_sum.zero_()
        self._state.loss_count = 0
        self._timed_from, self._timed_from_step = seconds, self._state.step
        return progress

    def store(self) -> None:
        """Copy the sums into the state, for a checkpoint."""
        self._state.loss_sum = float(self._loss_sum)
        self._state.grad_norm = float(self._grad_norm)

    def restart_timing(self) -> None:
        """Measure the speed from now on."""
        self._timed_from, self._timed_from_step = self._clock.seconds(), self._state.step

    def exclude(self, seconds: float) -> None:
        """Do not count some seconds as the steps'."""
        self._timed_from += seconds
