"""Settings, clocks and disks for tests of the trainer's parts."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch

from tests.training.workbench import TRAIN
from tui_gpt.config import TrainConfig
from tui_gpt.errors import StorageError
from tui_gpt.training.settings import RunSettings
from tui_gpt.training.state import Kind, Snapshot, TrainerState


class ManualClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeDisk:
    """Keeps what was committed to it, unless it is full."""

    def __init__(self) -> None:
        self.committed: list[tuple[Kind, Snapshot]] = []
        self.is_full = False
        self.work: Callable[[], object] = lambda: None
        """Called for each checkpoint, e.g. to let time pass."""

    def commit(self, kind: Kind, snapshot: Snapshot) -> Path:
        self.work()
        if self.is_full:
            raise StorageError("the disk is full")
        self.committed.append((kind, snapshot))
        return Path(kind)

    @property
    def steps(self) -> list[tuple[Kind, int]]:
        """Kind and step of each committed checkpoint."""
        return [(kind, snapshot.state.step) for kind, snapshot in self.committed]


def settings_of(state: TrainerState, config: TrainConfig = TRAIN) -> RunSettings:
    """Return the settings of a run in that state."""
    return RunSettings(config, state)


def snapshot_of(state: TrainerState) -> Snapshot:
    """Return a snapshot whose single weight is the step."""
    return Snapshot(dataclasses.replace(state), TRAIN, {"weight": torch.tensor(float(state.step))}, {})
