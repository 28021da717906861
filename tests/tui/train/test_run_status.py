"""The figures of a run, and the time left."""

from tests.fakes import progress, started
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.run_status import RunStatus, headline


class Clock:
    """A clock that moves only when it is set."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_the_time_left_decreases_between_two_events() -> None:
    """Steps may take half a minute; every event begins the count again."""
    clock, record = Clock(), RunView()
    status = RunStatus(clock=clock)
    record.apply(started(1_000))
    status.show(record)
    shown = [status.time_words()]
    figures = {120.0: progress(100, 2.0), 121.0: progress(200, 2.0)}
    for second in (112.0, 120.0, 121.0, 131.0, 170.0):
        clock.seconds = second
        if second in figures:
            record.apply(figures[second])
            status.show(record)
        shown.append(status.time_words())
    assert shown == ["", "12 s so far", "5 s so far", "40 s left", "30 s left", "last update 49 s ago"]


def test_a_pause_does_not_count_as_time() -> None:
    clock, record = Clock(), RunView()
    status = RunStatus(clock=clock)
    for event in (started(1_000), progress(100, 2.0), progress(200, 2.0)):
        record.apply(event)
        status.show(record)
    record.phase = "paused"
    clock.seconds += 60.0
    assert status.time_words() == "40 s left"


def test_the_headline_shows_the_activity_of_a_live_run() -> None:
    record = RunView(name="one", phase="running")
    assert headline(record, "evaluating 40 %, 3 s") == "evaluating 40 %, 3 s"
    assert headline(record) == "training one"
    record.phase = "replayed"
    assert headline(record, "evaluating 40 %, 3 s") == "one, step 0"
