"""Requests reach the worker between two steps, from any thread."""

import threading

from tui_gpt.control import Control


def test_a_fresh_control_asks_for_nothing() -> None:
    control = Control()
    assert not control.stop_requested
    assert not control.pause_requested
    assert not control.take_save_request()
    assert control.take_changes() == {}
    assert control.take_weight_requests() == []


def test_stopping_wakes_a_paused_worker() -> None:
    control = Control()
    control.pause()
    threading.Timer(0.01, control.stop).start()
    assert all(nothing is None for nothing in control.wait_while_paused())
    assert control.stop_requested


def test_pausing_after_a_stop_has_no_effect() -> None:
    control = Control()
    control.stop()
    control.pause()
    assert not control.pause_requested


def test_a_paused_worker_wakes_when_resumed() -> None:
    control = Control()
    control.pause()
    waiting = control.wait_while_paused()
    next(waiting)
    control.resume()
    assert list(waiting) == []


def test_the_last_change_of_a_setting_wins_and_is_taken_once() -> None:
    control = Control()
    control.change("learning_rate", 1e-3)
    control.change("learning_rate", 2e-3)
    assert control.take_changes() == {"learning_rate": 2e-3}
    assert control.take_changes() == {}


def test_a_save_request_is_taken_once() -> None:
    control = Control()
    control.save()
    assert control.take_save_request()
    assert not control.take_save_request()


def test_each_request_for_weights_is_answered_on_its_own() -> None:
    control = Control()
    first, second = control.request_weights(), control.request_weights()
    assert control.take_weight_requests() == [first, second]
    assert control.take_weight_requests() == []


def test_a_worker_that_has_ended_refuses_requests_for_weights_at_once() -> None:
    """The caller must not wait for an answer that never comes."""
    control = Control()
    waiting = control.request_weights()
    control.close()
    late = control.request_weights()
    assert waiting.cancelled()
    assert late.cancelled()
    assert control.take_weight_requests() == []


def test_suspensions_add_up() -> None:
    control = Control()
    control.exclude_seconds(2.0)
    control.exclude_seconds(3.5)
    assert control.suspended_seconds == 5.5
