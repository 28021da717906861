"""When checkpoints are saved, and what is reported when the disk fails."""

import dataclasses

import pytest

from tests.training.fakes import FakeDisk, ManualClock, settings_of, snapshot_of
from tests.training.workbench import TRAIN
from tui_gpt.control import Control
from tui_gpt.events import Saved, StorageProblem, StorageRecovered
from tui_gpt.training.budget.planner import Costs
from tui_gpt.training.checkpoints.checkpointer import Checkpointer
from tui_gpt.training.clock import RunClock
from tui_gpt.training.state import Snapshot, TrainerState


class Saving:
    """A checkpointer with a disk, a clock and a run's state that a test may change."""

    def __init__(self, step: int = 0, saved_step: int | None = None) -> None:
        self.state, self.disk, self.clock, self.control = TrainerState(step=step), FakeDisk(), ManualClock(), Control()
        self.best_on_disk: Snapshot | None = None
        self.costs = Costs(step=1.0, token=1.0)
        self.checkpoints = Checkpointer(
            self.state,
            settings_of(self.state, dataclasses.replace(TRAIN, autosave_seconds=60.0)),
            RunClock(self.clock),
            self.control,
            self.costs,
            commit=self.disk.commit,
            read_best=lambda: self.best_on_disk,
            take_snapshot=lambda kind: snapshot_of(self.state),
            saved_step=saved_step,
        )

    def save_if_due(self, step: int) -> list[object]:
        """Return the events after that step, once what it saves is on the disk."""
        self.state.step = step
        events: list[object] = list(self.checkpoints.save_if_due())
        self.checkpoints.wait()
        return events


def test_last_is_saved_when_time_has_passed() -> None:
    run = Saving()
    run.save_if_due(1)
    assert run.disk.steps == []
    run.clock.now = 60.0
    run.save_if_due(2)
    assert run.disk.steps == [("last", 2)]
    run.save_if_due(3)
    assert run.disk.steps == [("last", 2)]


def test_last_is_saved_after_an_evaluation() -> None:
    run = Saving()
    run.state.evaluated_step = 5
    run.save_if_due(5)
    run.save_if_due(6)
    assert run.disk.steps == [("last", 5)]


def test_last_is_saved_on_request() -> None:
    run = Saving()
    run.control.save()
    run.save_if_due(3)
    run.save_if_due(4)
    assert run.disk.steps == [("last", 3)]


def test_a_step_is_saved_once_unless_its_state_has_changed() -> None:
    run = Saving(saved_step=5)
    run.state.evaluated_step = 5
    run.save_if_due(5)
    assert run.disk.steps == []
    run.checkpoints.mark_unsaved()
    run.save_if_due(5)
    assert run.disk.steps == [("last", 5)]


def test_a_saved_checkpoint_is_reported_with_the_next_step() -> None:
    run = Saving()
    run.control.save()
    assert run.save_if_due(3) == []
    assert run.save_if_due(4) == [Saved(step=3, path="last")]


def test_a_failing_disk_is_reported_once_and_so_is_its_recovery() -> None:
    run = Saving()
    run.disk.is_full = True
    reports: list[object] = []
    for step in (1, 2, 3, 4):
        run.disk.is_full = step < 3
        run.control.save()
        reports += run.save_if_due(step)
    reports += run.checkpoints.report()
    assert [report for report in reports if not isinstance(report, Saved)] == [
        StorageProblem(step=2, problem="the disk is full"),
        StorageRecovered(step=4),
    ]


def test_a_best_checkpoint_that_could_not_be_written_is_written_with_the_next_last() -> None:
    run = Saving(step=1)
    run.disk.is_full = True
    run.checkpoints.save("best")
    run.checkpoints.wait()
    list(run.checkpoints.report())
    run.disk.is_full, run.state.step = False, 4
    run.checkpoints.save("last")
    run.checkpoints.wait()
    assert run.disk.steps == [("best", 1), ("last", 4)]


def test_the_best_model_comes_from_memory_until_it_is_on_disk() -> None:
    run = Saving(step=2)
    run.best_on_disk = snapshot_of(TrainerState(step=1))
    run.checkpoints.save("best")
    in_memory = run.checkpoints.newest_best()
    assert in_memory is not None
    assert in_memory.state.step == 2
    list(run.checkpoints.report())
    assert run.checkpoints.newest_best() is run.best_on_disk


def test_the_end_tries_a_failed_checkpoint_once_more() -> None:
    run = Saving(step=7)
    run.disk.is_full = True
    reports = []
    for report in run.checkpoints.save_last_and_wait():
        reports.append(report)
        run.disk.is_full = False
    assert reports == [
        StorageProblem(step=7, problem="the disk is full"),
        Saved(step=7, path="last"),
        StorageRecovered(step=7),
    ]
    assert run.checkpoints.problem == ""


@pytest.mark.parametrize("saved_step", [None, 7])
def test_the_end_saves_only_what_is_not_saved(saved_step: int | None) -> None:
    run = Saving(step=7, saved_step=saved_step)
    list(run.checkpoints.save_last_and_wait())
    assert run.disk.steps == ([] if saved_step == 7 else [("last", 7)])


def test_the_time_that_a_checkpoint_takes_is_a_cost() -> None:
    run = Saving(step=1)
    run.disk.work = lambda: setattr(run.clock, "now", 2.5)
    run.checkpoints.save("last")
    run.checkpoints.wait()
    assert run.costs.save == 2.5
