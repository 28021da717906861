"""The one reducer of a run's events."""

import pytest

from tests.fakes import estimated, evaluated, finished, progress, started
from tui_gpt.events import (
    Event,
    Paused,
    Resumed,
    Sampled,
    Saved,
    SettingChanged,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.progress import RunRecord, state_after


def record_of(*events: Event) -> RunRecord:
    return RunRecord.of(events)


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (started(), "running"),
        (Paused(step=1), "paused"),
        (Resumed(step=1), "running"),
        (finished(reason="stopped"), "stopped"),
        (finished(reason="time_limit"), "finished"),
        (progress(1), None),
        (Saved(step=1, path="last"), None),
    ],
)
def test_the_state_follows_the_events(event: Event, state: str | None) -> None:
    assert state_after(event) == state
    assert record_of(Saved(step=1, path="last"), event).state == (state or "new")


def test_the_newest_step_is_that_of_any_event_and_goes_back_with_a_resume() -> None:
    record = record_of(started(40), progress(20), evaluated(10, 1.9))
    assert (record.step, record.fraction_done) == (20, 0.5)
    record.apply(started(80, step=8))
    assert (record.step, record.max_iters, record.fraction_done) == (8, 80, 0.1)
    assert record.evaluations == []


def test_a_resume_resets_the_estimate_of_the_time_left() -> None:
    """A resumed run may be on another machine."""
    record = record_of(started(40), progress(10), progress(20))
    assert record.seconds_left == 1.0
    record.apply(started(40, step=20))
    assert record.seconds_left is None


def test_the_peak_rate_is_the_newest_one() -> None:
    record = record_of(started(10), SettingChanged(step=2, setting="learning_rate", value=0.5))
    assert record.learning_rate == 0.5


def test_evaluations_are_in_the_order_of_their_steps_and_the_newest_best_holds_the_figure() -> None:
    """At the end the best model, of an earlier step, is measured again on the whole."""
    record = record_of(
        started(300), estimated(100, 1.5), estimated(200, 1.4), estimated(300, 1.6, is_best=False), evaluated(200, 1.45)
    )
    assert [(one.step, one.val_loss, one.is_estimate) for one in record.evaluations] == [
        (100, 1.5, True),
        (200, 1.45, False),
        (300, 1.6, True),
    ]
    assert record.best is not None
    assert (record.best.val_loss, record.best.is_estimate) == (1.45, False)
    assert record.step == 300


def test_an_estimate_never_replaces_the_loss_of_record() -> None:
    record = record_of(evaluated(100, 1.5), estimated(100, 1.4))
    assert [one.val_loss for one in record.evaluations] == [1.5]


def test_a_resumed_run_has_the_best_evaluation_before_its_checkpoint() -> None:
    record = record_of(estimated(100, 1.5), estimated(200, 1.4), evaluated(100, 1.55), started(300, step=150))
    assert record.best is not None
    assert (record.best.step, record.best.val_loss) == (100, 1.55)


def test_a_corrected_number_of_steps_moves_the_end() -> None:
    record = record_of(started(10), SettingChanged(step=2, setting="max_iters", value=30, origin="plan"))
    assert record.max_iters == 30


def test_a_storage_problem_is_a_warning_until_it_is_solved() -> None:
    record = record_of(started(10), StorageProblem(step=2, problem="the disk is full"))
    assert record.warning == "the disk is full"
    record.apply(StorageRecovered(step=3))
    assert record.warning is None


def test_samples_are_looked_up_by_step() -> None:
    record = record_of(*(Sampled(step=step, prompt="", text=str(step)) for step in (10, 20)))
    assert [getattr(record.sample_at(step), "step", None) for step in (5, 10, 19, 20, 99)] == [10, 10, 10, 20, 20]
    assert RunRecord().sample_at(5) is None


def test_a_storage_problem_ends_when_the_run_is_resumed() -> None:
    """The process that reported it is gone, and with it the one that would report the recovery."""
    record = record_of(started(), StorageProblem(step=5, problem="the disk is full"), started())
    assert record.warning is None
