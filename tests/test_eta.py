"""The estimate of the time left."""

import pytest

from tui_gpt.eta import EtaEstimator


def test_the_time_left_is_unknown_before_there_is_a_pace() -> None:
    eta = EtaEstimator()
    assert eta.seconds_left(100) is None
    eta.mark(10, 1.0)
    assert eta.seconds_left(100) is None
    eta.mark(20, 2.0)
    assert eta.seconds_left(100) == pytest.approx(8.0)


def test_the_time_left_follows_the_recent_pace() -> None:
    eta = EtaEstimator(window_seconds=10.0)
    for second in range(10):
        eta.mark(100 * second, float(second))
    for second in range(10, 40):
        eta.mark(900 + second - 9, float(second))
    assert eta.steps_per_second == pytest.approx(1.0)


def test_a_resumed_run_resets_the_pace() -> None:
    eta = EtaEstimator()
    eta.mark(500, 50.0)
    eta.mark(100, 10.0)
    assert eta.steps_per_second is None
    eta.mark(110, 11.0)
    assert eta.steps_per_second == pytest.approx(10.0)


def test_no_time_is_left_after_the_last_step() -> None:
    eta = EtaEstimator()
    eta.mark(10, 1.0)
    eta.mark(30, 2.0)
    assert eta.seconds_left(20) == 0.0
