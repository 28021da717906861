"""Playing a recorded log in another time."""

import pytest

from tests.fakes import evaluated, finished, progress, started, training_script
from tui_gpt.tui.demo.player import SPEEDS, Player, times_of

EVENTS = training_script(1_000)


def test_the_whole_recording_takes_the_time_of_the_demo_in_order() -> None:
    times = times_of(EVENTS, 30.0)
    assert times[0] == 0.0
    assert times[-1] == pytest.approx(30.0)
    assert times == sorted(times)
    player = Player(EVENTS, 30.0)
    played = [event for _ in range(601) for event in player.advance(0.05)]
    assert played == EVENTS
    assert player.is_done
    assert player.fraction_done == 1.0


def test_half_of_the_time_plays_half_of_the_steps() -> None:
    assert Player(EVENTS, 30.0).advance(15.0)[-1].step == pytest.approx(500, abs=10)


def test_other_events_come_with_the_progress_before_them() -> None:
    assert times_of([started(), progress(20), evaluated(20, 2.0), progress(40), finished()], 10.0) == [0, 0, 0, 10, 10]


def test_a_pause_of_the_recorded_run_is_shortened() -> None:
    """Otherwise there would be something to wait for."""
    events = [progress(20 * k) for k in range(11)] + [progress(20_000 + 20 * k) for k in range(11)]
    times = times_of(events, 23.0)
    assert times[11] - times[10] == pytest.approx(3.0)
    assert times[1] - times[0] == pytest.approx(1.0)


@pytest.mark.parametrize("events", [[], [started()], [progress(10)], [started(), progress(10), finished()]])
def test_a_log_without_time_is_played_at_once(events: list[object]) -> None:
    player = Player(events)  # type: ignore[arg-type]  # a list of any events
    assert list(player.advance(0.01)) == events


def test_the_speed_changes_how_much_is_played_and_has_two_ends() -> None:
    player = Player(EVENTS, 30.0)
    player.change_speed(1)
    player.advance(1.0)
    assert (player.speed, player.position) == (2.0, 2.0)
    player.change_speed(99)
    assert player.speed == SPEEDS[-1]
    player.change_speed(-99)
    assert player.speed == SPEEDS[0]


def test_nothing_is_played_while_it_is_paused() -> None:
    player = Player(EVENTS, 30.0)
    player.advance(1.0)
    player.is_paused = True
    assert not player.advance(10.0)
    player.is_paused = False
    assert player.advance(10.0)


def test_it_can_be_played_again_at_the_same_speed() -> None:
    player = Player(EVENTS, 30.0)
    player.change_speed(2)
    player.advance(30.0)
    player.restart()
    assert (player.position, player.speed, player.is_done) == (0.0, 4.0, False)
    assert list(player.advance(30.0)) == EVENTS
