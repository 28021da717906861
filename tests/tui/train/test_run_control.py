"""Runs without widgets: the events of a run in progress, how it ends, and what can be done with it."""

from collections.abc import Sequence

import pytest

from tests.fakes import FakeSession, training_script
from tui_gpt.config import resolve
from tui_gpt.errors import ConfigError, DivergedError
from tui_gpt.events import Event
from tui_gpt.requests import TrainRequest
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.train.feed import RunUpdate
from tui_gpt.tui.train.record import Phase, RunView
from tui_gpt.tui.train.run_actions import RunAction, is_available
from tui_gpt.tui.train.run_control import RunControl


def trained(script: Sequence[Event | Exception]) -> tuple[RunControl, RunUpdate]:
    """Train until the thread has ended; return the control and the last update."""
    control = RunControl(FakeSession(script), RunStore())
    control.loader.start()
    control.start(control.prepare(TrainRequest(config=resolve("nano"))))
    assert control.training is not None
    control.training.wait(20)
    update = control.poll()
    assert update is not None
    return control, update


def test_a_run_that_ends_is_no_longer_in_progress() -> None:
    control, update = trained(training_script())
    assert (update.ending, control.is_training) == ("ended", False)
    assert control.record is not None
    assert control.record.phase == "finished"
    assert control.poll() is None


def test_a_failed_run_has_a_sentence() -> None:
    control, update = trained([*training_script()[:20], DivergedError("the loss became infinite")])
    assert update.ending == "ended"
    assert control.record is not None
    assert (control.record.phase, control.record.failure) == ("failed", "the loss became infinite")


@pytest.mark.parametrize(
    ("error", "ending"), [(ConfigError("batch_size is too large"), "refused"), (None, "cancelled")]
)
def test_a_run_without_events_was_refused_or_cancelled(error: ConfigError | None, ending: str) -> None:
    _, update = trained([] if error is None else [error])
    assert (update.ending, update.error) == (ending, error)


@pytest.mark.parametrize(
    ("phase", "is_live", "expected"),
    [
        ("running", True, {RunAction.PAUSE, RunAction.STOP, RunAction.TOGGLE_LOG}),
        (
            "paused",
            True,
            {RunAction.CONTINUE, RunAction.STOP, RunAction.CHANGE_LEARNING_RATE, RunAction.TOGGLE_LOG},
        ),
        ("finished", False, {RunAction.RESUME, RunAction.GENERATE, RunAction.NEW, RunAction.TOGGLE_LOG}),
    ],
)
def test_actions_are_available_where_they_make_sense(phase: Phase, is_live: bool, expected: set[RunAction]) -> None:
    record = RunView(name="my-run", phase=phase)
    assert {action for action in RunAction if is_available(action, record, is_live=is_live)} == expected


def test_the_form_can_only_be_started_and_opened() -> None:
    available = [action for action in RunAction if is_available(action, None, is_live=False)]
    assert available == [RunAction.START, RunAction.ALL_SETTINGS, RunAction.START_FROM]
