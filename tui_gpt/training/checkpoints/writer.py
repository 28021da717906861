"""Which checkpoints a run keeps: `last`, `best`, and between two evaluations `good`, what `last` would go back to.

A run that meets NaN goes back to its newest evaluation. Most checkpoints are of one, so they are what they would go
back to; only a `last` from in between needs another one beside it. It is written before that `last`, so whatever
happens, a run that goes on can go back exactly where it would have gone without the interruption.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tui_gpt.errors import CheckpointError, ConfigError, TuiGptError
from tui_gpt.prior.stored import without_prior
from tui_gpt.records import check_value, field_types
from tui_gpt.storage.folders import discard_folder
from tui_gpt.storage.manifest import CheckpointInfo, newest_whole
from tui_gpt.storage.runs import Run
from tui_gpt.training.checkpoints.tensors import read_checkpoint
from tui_gpt.training.trainer import Kind, Snapshot, Standing

_GOOD_FOLDER = "good"

Write = Callable[[Path, Snapshot, bool], None]
"""Commits a snapshot to a folder, with or without what only training needs. Raises TuiGptError."""


class CheckpointWriter:
    """Commits one run's checkpoints; only the holder of its lock may have one."""

    def __init__(self, run: Run, write: Write, good: Snapshot | None = None) -> None:
        """`good` is what was read from the run's own folder of that name."""
        self._run = run
        self._write = write
        self._kept = good

    def commit(self, kind: Kind, snapshot: Snapshot) -> Path:
        """Commit a checkpoint; where it is. Raises TuiGptError."""
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
        """Return the `best` checkpoint, without what only training needs; None where there is none that can be read."""
        folder = self._run.checkpoint_dir("best")
        try:
            checkpoint = None if folder is None else read_checkpoint(folder)
        except TuiGptError:
            return None
        if checkpoint is None:
            return None
        weights = without_prior(checkpoint.weights)
        return Snapshot(standing_of(checkpoint.info), checkpoint.info.config.train, weights, {})

    def _forget_good(self) -> None:
        self._kept = None
        with suppress(OSError):  # what stays is of an older step than any that will be asked for
            discard_folder(self._run.path / _GOOD_FOLDER)


def standing_of(info: CheckpointInfo) -> Standing:
    """Return where a trainer stood when it wrote a checkpoint. Raises CheckpointError."""
    hints = field_types(Standing)
    try:
        kept = {name: check_value(name, value, hints[name]) for name, value in info.extra.items() if name in hints}
    except ConfigError as error:
        raise CheckpointError(f"the checkpoint is altered ({error}): resume a copy, or start a new run") from error
    return Standing(**{**kept, "step": info.step, "max_iters": info.max_iters})


def read_good(run: Run, standing: Standing) -> Snapshot | None:
    """What the run, resumed at `standing`, would go back to; None where that is `standing` itself, or lost."""
    if standing.good_step == standing.step:
        return None
    folder = newest_whole(run.path / _GOOD_FOLDER)
    try:
        checkpoint = None if folder is None else read_checkpoint(folder, training=True)
    except TuiGptError:
        return None
    if checkpoint is None or checkpoint.info.step != standing.good_step or checkpoint.training is None:
        return None
    good = Standing(step=checkpoint.info.step, max_iters=checkpoint.info.max_iters)
    return Snapshot(good, checkpoint.info.config.train, checkpoint.weights, checkpoint.training)
