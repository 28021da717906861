"""Writes a run's checkpoints to its folder: `last`, `best`, and `good`, the state that `last` would roll back to.

A `last` taken at an evaluation is its own roll-back point; any other needs the state of the previous evaluation saved
as `good`. That one is written first, so a resumed run can always roll back to where it would have without the
interruption.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tui_gpt.errors import CheckpointError, ConfigError, TuiGptError
from tui_gpt.prior.stored import without_prior
from tui_gpt.records import check_value, field_types
from tui_gpt.storage.folders import discard_folder
from tui_gpt.storage.manifest import CheckpointInfo, newest_complete
from tui_gpt.storage.runs import Run
from tui_gpt.training.checkpoints.tensors import read_checkpoint
from tui_gpt.training.state import Kind, Snapshot, TrainerState

_GOOD_FOLDER = "good"

Write = Callable[[Path, Snapshot, bool], None]
"""Commits a snapshot to a folder, with or without the tensors that only training needs. Raises TuiGptError."""


class CheckpointWriter:
    """Commits the checkpoints of one run, whose lock must be held."""

    def __init__(self, run: Run, write: Write, good: Snapshot | None = None) -> None:
        """`good` is the snapshot that `read_good` returned, if any."""
        self._run = run
        self._write = write
        self._kept = good

    def commit(self, kind: Kind, snapshot: Snapshot) -> Path:
        """Commit a checkpoint and return its folder. Raises TuiGptError."""
        self._run.log.sync()
        if snapshot.good is not None and snapshot.good is not self._kept:
            self._write(self._run.path / _GOOD_FOLDER, snapshot.good, True)
            self._kept = snapshot.good
        target = self._run.checkpoint_target(kind)
        self._write(target, snapshot, kind == "last")
        if kind == "last" and snapshot.good is None:
            self._forget_good()
        return target

    def read_best(self) -> Snapshot | None:
        """Return the `best` checkpoint without optimizer state; None if it is missing or damaged."""
        folder = self._run.checkpoint_dir("best")
        try:
            checkpoint = None if folder is None else read_checkpoint(folder)
        except TuiGptError:
            return None
        if checkpoint is None:
            return None
        weights = without_prior(checkpoint.weights)
        return Snapshot(state_of(checkpoint.info), checkpoint.info.config.train, weights, {})

    def _forget_good(self) -> None:
        self._kept = None
        with suppress(OSError):  # a folder that stays is ignored, since its step is too old
            discard_folder(self._run.path / _GOOD_FOLDER)


def state_of(info: CheckpointInfo) -> TrainerState:
    """Return the trainer's state in a checkpoint. Raises CheckpointError."""
    hints = field_types(TrainerState)
    try:
        kept = {name: check_value(name, value, hints[name]) for name, value in info.extra.items() if name in hints}
    except ConfigError as error:
        raise CheckpointError(f"the checkpoint is altered ({error}): resume a copy, or start a new run") from error
    return TrainerState(**{**kept, "step": info.step, "max_iters": info.max_iters})


def read_good(run: Run, state: TrainerState) -> Snapshot | None:
    """Return the snapshot that a run resumed at `state` would roll back to; None if it is `state` itself, or lost."""
    if state.good_step == state.step:
        return None
    folder = newest_complete(run.path / _GOOD_FOLDER)
    try:
        checkpoint = None if folder is None else read_checkpoint(folder, training=True)
    except TuiGptError:
        return None
    if checkpoint is None or checkpoint.info.step != state.good_step or checkpoint.training is None:
        return None
    good = TrainerState(step=checkpoint.info.step, max_iters=checkpoint.info.max_iters)
    return Snapshot(good, checkpoint.info.config.train, checkpoint.weights, checkpoint.training)
