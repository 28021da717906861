"""The gradients of a step: what the trainer needs, and how one process computes it.

Several processes compute them together (`distributed/leader.py`).
"""

from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from tui_gpt.control import Control
from tui_gpt.training.batches import Batches
from tui_gpt.training.checkpoints.copies import Tensors
from tui_gpt.training.compute.device import sum_dtype
from tui_gpt.training.compute.interruption import abort_on_stop
from tui_gpt.training.compute.prefetch import Prefetcher
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.optim.gradients import add_gradients


@dataclass(frozen=True)
class Step:
    """What a step depends on besides weights and data."""

    number: int
    """Counts from 0."""
    learning_rate: float
    grad_clip: float


class StepGradients(Protocol):
    """Computes the gradients of steps, in one process or in several."""

    def accumulate(self, step: Step) -> Tensor:
        """Compute every parameter's gradient over the step's batches; return the mean loss, detached.

        Raises StepAbortedError when asked to stop meanwhile, RankLostError.
        """

    def replace_state(self, weights: Tensors, training: Tensors) -> None:
        """Continue with other weights and optimizer state, which this process has already. Raises RankLostError."""

    def require_ranks(self) -> None:
        """Raise RankLostError if another rank was lost since the last step."""

    def close(self) -> None:
        """End the threads that belong to it."""


@dataclass(frozen=True)
class LocalGradients:
    """The gradients that the replicas of one process compute."""

    replicas: Replicas
    batches: Batches
    device: torch.device
    control: Control
    prefetcher: Prefetcher | None = None
    """Prepares the batches where the device is asynchronous."""

    @classmethod
    def of(
        cls, replicas: Replicas, batches: Batches, device: torch.device, control: Control, *, is_asynchronous: bool
    ) -> Self:
        """Return the gradients of a model with replicas on `device`."""
        prefetcher = None
        if is_asynchronous:
            prefetcher = Prefetcher(lambda number: batches.training(number).pinned(), device)
        return cls(replicas, batches, device, control, prefetcher)

    def accumulate(self, step: Step) -> Tensor:
        """See `StepGradients`."""
        count = self.batches.per_step
        source = self.prefetcher or self.batches
        total = torch.zeros((), dtype=sum_dtype(self.device), device=self.device)
        for number in range(step.number * count, (step.number + 1) * count):
            with abort_on_stop(self.replicas.models, self.control):
                loss, gradients = self.replicas.gradients(source.training(number))
            total += loss / count
            add_gradients(self.replicas.models[0].parameters(), gradients, count)
        return total

    def replace_state(self, weights: Tensors, training: Tensors) -> None:
        """There is no other process."""

    def require_ranks(self) -> None:
        """There is no other process."""

    def close(self) -> None:
        """End the thread that prepares batches."""
        if self.prefetcher is not None:
            self.prefetcher.close()
