"""Signals stop a command, save its work and set its exit code."""

import signal
import sys

import pytest

from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.control import Control


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_the_work_and_sets_the_exit_code(number: signal.Signals, code: int) -> None:
    control = Control()
    with StopOnSignals(control) as signals:
        assert signals.exit_code is None
        signal.raise_signal(number)
        assert control.stop_requested
        assert signals.exit_code == code


def test_a_second_signal_exits_immediately() -> None:
    left: list[int] = []
    with StopOnSignals(Control(), leave=left.append):
        signal.raise_signal(signal.SIGINT)
        assert left == []
        signal.raise_signal(signal.SIGTERM)
        assert left == [143]


def test_the_first_signal_exits_immediately_while_there_is_nothing_to_lose() -> None:
    left: list[int] = []
    with StopOnSignals(Control(), leave=left.append) as signals:
        signals.nothing_to_lose = True
        signal.raise_signal(signal.SIGHUP)
        assert left == [129]
        signals.nothing_to_lose = False
        signal.raise_signal(signal.SIGTERM)
        assert left == [129]
        assert signals.exit_code == 143


def test_the_previous_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopOnSignals(Control()):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that suspends")
def test_a_suspension_is_not_counted() -> None:
    """Twice, for the handler is there again after the first one."""
    control, now, handlers = Control(), [5.0], []

    def suspend() -> None:
        handlers.append(signal.getsignal(signal.SIGTSTP))
        now[0] += 60.0

    before = signal.getsignal(signal.SIGTSTP)
    with StopOnSignals(control, suspend=suspend, clock=lambda: now[0]):
        for seconds in (60.0, 120.0):
            signal.raise_signal(signal.SIGTSTP)
            assert control.suspended_seconds == seconds
    assert handlers == [signal.SIG_DFL] * 2
    assert not control.stop_requested
    assert signal.getsignal(signal.SIGTSTP) == before


def test_an_ignored_signal_stays_ignored() -> None:
    """Under nohup, a closed terminal is no reason to stop."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        control = Control()
        with StopOnSignals(control):
            signal.raise_signal(signal.SIGHUP)
        assert not control.stop_requested
    finally:
        signal.signal(signal.SIGHUP, before)
