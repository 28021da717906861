"""The seconds of a run leave out pauses and continue after a resume."""

from tests.training.fakes import ManualClock
from tui_gpt.training.clock import RunClock


def test_seconds_count_from_now_or_from_a_given_reading_and_after_those_before_a_resume() -> None:
    clock = ManualClock()
    clock.now = 10.0
    fresh, early, resumed = RunClock(clock), RunClock(clock, began=4.0), RunClock(clock, before=100.0)
    clock.now = 12.0
    assert (fresh.seconds(), early.seconds(), resumed.seconds()) == (2.0, 8.0, 102.0)


def test_excluded_time_does_not_count() -> None:
    clock = ManualClock()
    run = RunClock(clock)
    clock.now = 5.0
    assert run.exclude_since(2.0) == 5.0
    assert run.seconds() == 2.0
