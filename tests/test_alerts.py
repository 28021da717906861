"""Which events of a run are alerts, and what they report."""

from dataclasses import replace

import pytest

from tests.fakes import evaluated, finished, progress, started
from tui_gpt.alerts import Alert, AlertWatch, failure, title_of
from tui_gpt.events import Event, FinishReason, Paused, RolledBack, StepSkipped, StorageProblem, StorageRecovered
from tui_gpt.progress import RunRecord


def alerts_of(*events: Event) -> list[Alert]:
    watch, record, found = AlertWatch(), RunRecord(), []
    for event in events:
        record.apply(event)
        found.append(watch.take(event, record, "one"))
    return [alert for alert in found if alert is not None]


def problem(step: int) -> StorageProblem:
    return StorageProblem(step=step, problem="the disk is full")


def test_the_end_of_a_run_reports_its_best_loss() -> None:
    (alert,) = alerts_of(started(), progress(40), evaluated(40, 1.9), finished())
    assert alert == Alert(
        state="finished", run="one", step=40, max_iters=40, best_val_loss=1.8812, best_is_estimate=False,
        elapsed_seconds=2.0, message="40 steps, validation loss 1.8812",
    )  # fmt: skip
    assert alert.heading == "one finished"


@pytest.mark.parametrize("reason", ["time_limit", "early_stop"])
def test_a_run_that_ends_early_by_itself_has_finished(reason: FinishReason) -> None:
    (alert,) = alerts_of(started(), replace(finished(), reason=reason))
    assert alert.state == "finished"
    assert not alert.is_expected


def test_a_run_that_was_stopped_is_expected_to_end() -> None:
    (alert,) = alerts_of(started(), finished(20, None, "stopped"))
    assert (alert.state, alert.is_expected, alert.message) == ("stopped", True, "20 steps")


def test_a_rollback_is_a_divergence_and_a_skipped_step_is_none() -> None:
    (alert,) = alerts_of(started(), evaluated(10, 2.0), StepSkipped(step=11), RolledBack(step=12, to_step=10))
    assert (alert.state, alert.best_val_loss) == ("diverged", 2.0)
    assert "rolled back to step 10" in alert.message


def test_of_several_storage_problems_in_a_row_the_first_is_an_alert() -> None:
    found = alerts_of(started(), problem(1), problem(2), StorageRecovered(step=3), problem(4))
    assert [(alert.state, alert.step, alert.message) for alert in found] == [
        ("unsaved", 1, "the disk is full"),
        ("unsaved", 4, "the disk is full"),
    ]


def test_a_run_that_had_not_begun_cannot_fail() -> None:
    assert failure(RunRecord(), "one", "no memory") is None
    alert = failure(RunRecord.of([started(), progress(10)]), "one", "no memory")
    assert alert is not None
    assert (alert.state, alert.step, alert.message) == ("failed", 10, "no memory")


@pytest.mark.parametrize(
    ("events", "title"),
    [
        ([], "one"),
        ([started(), progress(10)], "25% one"),
        ([started(), progress(10), Paused(step=10)], "paused 25% one"),
        ([started(), progress(40), finished()], "finished one"),
        ([started(), finished(20, None, "stopped")], "stopped one"),
    ],
)
def test_the_title_is_the_progress_of_the_run(events: list[Event], title: str) -> None:
    assert title_of(RunRecord.of(events), "one") == title


def test_the_title_of_a_failed_run_is_that_it_failed() -> None:
    assert title_of(RunRecord.of([started(), progress(10)]), "one", has_failed=True) == "failed one"
