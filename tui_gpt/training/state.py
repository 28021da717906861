"""The state of a training run: its scalars, and the snapshots that checkpoints are written from.

`TrainerState` holds every number that the next step depends on, and a checkpoint keeps all of them. Tensors are not
part of it: weights, optimizer state and random generators are copied by `checkpoints/copies.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from tui_gpt.config import TrainConfig

Kind = Literal["last", "best"]
"""The two checkpoints that every run keeps."""


@dataclass
class TrainerState:
    """The trainer's scalar state: everything but tensors that the next step depends on."""

    step: int = 0
    max_iters: int = 0
    elapsed_seconds: float = 0.0
    train_loss: float | None = None
    val_loss: float | None = None
    best_val_loss: float | None = None
    val_tokens: int = 0
    """Validation characters that `val_loss` was measured on."""
    best_tokens: int = 0
    """Validation characters that `best_val_loss` was measured on."""
    record_tokens: int = 0
    """Validation characters that the loss of record is measured on; a loss on fewer is an estimate."""
    best_rank_loss: float | None = None
    """The best model's loss on the validation characters that models are compared on."""
    best_rank_tokens: int = 0
    """The number of validation characters that models are compared on."""
    estimate_tokens: int = 0
    """Validation characters of an evaluation before the last one, in a run with a time budget; 0 without a plan."""
    budget_step: int = 0
    """The step at which the time budget began."""
    budget_evaluations: int = 0
    """Evaluations since `budget_step`."""
    next_loss: float | None = None
    """Loss of a few windows of the next batch, computed for each `last` checkpoint and again after a resume."""
    evaluated_step: int = 0
    """The step of the newest evaluation."""
    sampled_step: int = 0
    """The step of the newest sample."""
    evaluations_without_best: int = 0
    loss_sum: float = 0.0
    """Sum of the training losses since the last progress event."""
    loss_count: int = 0
    """Number of steps in `loss_sum`."""
    grad_norm: float = 0.0
    bad_steps: int = 0
    """Steps with a NaN or infinite loss since the start, or since the user last set the learning rate."""
    good_step: int = 0
    """The step that a roll-back returns to: the newest evaluation with finite losses, or else the start."""
    device: str = ""
    """The kind of device that trains, e.g. `cuda`."""
    precision: str = ""
    """The precision of the matrix products there, which a resume on the same kind of device keeps."""
    most_windows: int = 0
    """Windows in one pass at most, since the device's memory ran out; 0 where it did not."""
    follows_clock: bool = True
    """Whether the clock may still change the plan; a resumed run follows its log instead."""

    def is_estimate(self, tokens: int) -> bool:
        """Return whether a loss on that many validation characters is an estimate of the loss of record."""
        return tokens < self.record_tokens


@dataclass(frozen=True)
class Snapshot:
    """A copy of everything that a checkpoint holds of a trainer."""

    state: TrainerState
    config: TrainConfig
    weights: Mapping[str, Tensor]
    training: Mapping[str, Tensor]
    """Optimizer state and random generators; empty for a `best` checkpoint that was read from disk."""
    good: "Snapshot | None" = None
    """The snapshot that a roll-back returns to, where it is not this one."""
