"""The progress line of a run."""

import io
import threading
from itertools import pairwise

import pytest

from tests.cli.helpers import FakeTerminal
from tests.fakes import estimated, evaluated, finished, progress, started
from tui_gpt.cli.heartbeat import BEAT_SECONDS, Heartbeat
from tui_gpt.cli.progress_line import ProgressLine, figures, fitted_line
from tui_gpt.control import Activity
from tui_gpt.events import (
    Event,
    Sampled,
    SettingChanged,
    StorageProblem,
)
from tui_gpt.progress import RunRecord


class FakeClock:
    """A clock that moves only when it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def record_of(*events: Event) -> RunRecord:
    return RunRecord.of(events)


def test_the_figures_are_step_losses_time_left_and_rate() -> None:
    record = record_of(started(40), progress(10), progress(20, 1.9), evaluated(20, 1.88))
    assert figures(record) == ["step 20/40", "loss 1.900", "val 1.880", "1 s left", "20.0 k chars/s"]


def test_a_changed_number_of_steps_moves_the_goal() -> None:
    record = record_of(started(40), progress(20), SettingChanged(step=20, setting="max_iters", value=80))
    assert record.fraction_done == 0.25


@pytest.mark.parametrize("width", [0, 1, 10, 20, 40, 60, 80, 200])
def test_the_line_never_fills_the_terminal(width: int) -> None:
    """A full last column would wrap, and the next rewrite would begin one row too low."""
    record = record_of(started(40), progress(10), progress(20), evaluated(20, 1.88))
    assert len(fitted_line(record, width)) <= max(0, width - 1)


def test_a_wide_terminal_shows_every_figure_and_a_bar() -> None:
    record = record_of(started(40), progress(10), progress(20))
    assert fitted_line(record, 120) == (
        " 50% " + "█" * 20 + "·" * 20 + "  step 20/40  loss 2.000  1 s left  20.0 k chars/s"
    )


def test_a_log_file_gets_at_most_a_line_a_second() -> None:
    stream, clock = io.StringIO(), FakeClock()
    line = ProgressLine(stream, clock=clock)
    for step in range(1, 31):
        clock.now = step / 10
        line.note(progress(step))
    assert stream.getvalue().count("step ") == 3
    assert "\r" not in stream.getvalue()


def test_a_terminal_line_is_rewritten_and_erased() -> None:
    stream, clock = FakeTerminal(), FakeClock()
    line = ProgressLine(stream, clock=clock)
    line.note(progress(1))
    clock.now = 5.0
    line.note(progress(2))
    line.clear()
    line.clear()
    assert stream.getvalue().count("\n") == 0
    assert stream.getvalue().endswith("\r\x1b[K")
    assert stream.getvalue().count("\r") == 3


def test_a_silent_line_writes_nothing_but_what_is_urgent() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream, silent=True)
    for event in (
        started(),
        progress(1),
        evaluated(1, 2.0),
        SettingChanged(step=1, setting="max_iters", value=9),
        finished(),
    ):
        line.note(event)
    line.write_line("hello")
    assert stream.getvalue() == ""
    line.note(StorageProblem(step=1, problem="the disk is full"))
    assert stream.getvalue() == "warning: the disk is full\n"


def test_a_phase_without_events_is_named_at_least_every_other_second() -> None:
    stream, clock = io.StringIO(), FakeClock()
    activity: list[Activity | None] = [Activity("loading PyTorch")]
    line = ProgressLine(stream, clock=clock, activity=lambda: activity[0])
    said_at = []
    for _ in range(40):
        clock.now += BEAT_SECONDS
        before = stream.tell()
        line.beat()
        if stream.tell() > before:
            said_at.append(clock.now)
    assert all(later - earlier <= 2.0 for earlier, later in pairwise([0.0, *said_at, 10.0]))
    assert stream.getvalue().splitlines()[0] == "loading PyTorch, 1 s"
    activity[0] = Activity("counting n-grams", 0.4)
    line.beat()
    clock.now += 3
    line.beat()
    assert stream.getvalue().splitlines()[-1] == "counting n-grams 40%, 3 s"


def test_an_event_keeps_a_beat_from_being_shown() -> None:
    stream, clock = io.StringIO(), FakeClock()
    line = ProgressLine(stream, clock=clock)
    for step in range(1, 9):
        clock.now = step
        line.note(progress(step))
        clock.now += 0.5
        line.beat()
    assert "training" not in stream.getvalue()
    clock.now += 5
    line.note(started())
    clock.now += 5
    line.beat()
    assert stream.getvalue().endswith("training, 5 s\n")


def test_on_a_terminal_the_activity_is_shown_in_the_progress_line() -> None:
    stream, clock = FakeTerminal(), FakeClock()
    line = ProgressLine(stream, clock=clock, activity=lambda: Activity("evaluating", 0.5))
    line.note(started(40))
    line.note(progress(20))
    clock.now = 2.0
    line.beat()
    clock.now = 4.0
    line.beat()
    last = stream.getvalue().rpartition("\r")[2]
    assert last.startswith(" 50% ")
    assert "evaluating 50%, 2 s  step 20/40" in last
    line.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_an_estimate_is_called_that_on_a_line_of_its_own() -> None:
    stream = io.StringIO()
    ProgressLine(stream).note(estimated(20, 1.88))
    assert stream.getvalue() == (
        "step 20: training loss 1.7800, validation loss 1.8800 (estimate on 8,192 characters), the best so far\n"
    )


def test_a_heartbeat_ends_with_its_block_and_never_writes_into_a_line() -> None:
    """Two threads share a stream whose writes take their time."""

    class Slow(FakeTerminal):
        inside = 0
        most = 0

        def write(self, text: str) -> int:
            self.inside += 1
            self.most = max(self.most, self.inside)
            threading.Event().wait(0.001)
            self.inside -= 1
            return super().write(text)

    stream = Slow()
    line = ProgressLine(stream)
    beaten = threading.Event()

    def beat() -> None:
        line._last_written = -10.0
        line.beat()
        beaten.set()

    with Heartbeat(beat) as heart:
        for step in range(1, 100):
            line.note(Sampled(step=step, prompt="", text="x"))
        assert beaten.wait(60)
    assert not heart._thread.is_alive()
    assert stream.most == 1


def test_a_sample_cannot_command_the_terminal() -> None:
    stream = io.StringIO()
    ProgressLine(stream).note(Sampled(step=5, prompt="", text="hi\x1b[2J"))
    assert stream.getvalue() == "sample at step 5:\nhi␛[2J\n"


def test_a_closed_stream_does_not_end_the_run() -> None:
    class Deaf(FakeTerminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    line = ProgressLine(Deaf())
    line.note(progress(1))
    line.write_line("still here")
    assert line.record.step == 1
