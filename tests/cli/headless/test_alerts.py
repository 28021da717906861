"""The terminal's title and bell during a headless training."""

import io
from contextlib import suppress

import pytest

from tests.cli.helpers import FakeTerminal, memory_streams
from tests.fakes import FakeSession, finished, progress, started
from tui_gpt.cli.headless.streams import Streams
from tui_gpt.cli.headless.train import train
from tui_gpt.errors import StorageError
from tui_gpt.events import Event
from tui_gpt.requests import TrainRequest

SCRIPT: list[Event] = [started(), progress(20), finished()]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "foot")


def drawn(*script: Event | Exception, quiet: bool = False) -> str:
    stream = FakeTerminal()
    session = FakeSession(script)
    with suppress(StorageError):
        train(session, TrainRequest(name="one"), Streams(io.StringIO(), stream, quiet), as_json=False)
    return stream.getvalue()


def test_a_terminal_shows_the_progress_in_its_title_and_gets_its_own_back() -> None:
    shown = drawn(*SCRIPT)
    saved, half, ended, restored = (
        shown.index(codes)
        for codes in ("\x1b[22;2t", "]2;50% one – tui-gpt", "]2;finished one – tui-gpt", "\x1b]2;\x07\x1b[23;2t")
    )
    assert saved < half < ended < restored


def test_the_end_of_a_run_rings_and_notifies() -> None:
    assert "\a\x1b]777;notify;one finished;" in drawn(*SCRIPT)


def test_a_run_that_fails_rings_and_the_title_is_restored() -> None:
    shown = drawn(started(), progress(20), StorageError("the disk is full"))
    assert "\a\x1b]777;notify;one failed;the disk is full\x07" in shown
    assert shown.endswith("\x1b]2;\x07\x1b[23;2t")


def test_a_pipe_and_a_quiet_terminal_get_no_escape_sequence() -> None:
    streams, _, messages = memory_streams()
    train(FakeSession(list(SCRIPT)), TrainRequest(name="one"), streams, as_json=False)
    assert "\x1b" not in messages.getvalue()
    assert "\a" not in messages.getvalue()
    assert drawn(*SCRIPT, quiet=True) == ""


def test_the_settings_turn_alerts_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TITLE", "BELL", "NOTIFICATION"):
        monkeypatch.setenv(f"TUI_GPT_ALERTS_{name}", "no")
    shown = drawn(*SCRIPT)
    assert "\x1b]" not in shown
    assert "\a" not in shown


def test_a_wrong_setting_is_named_and_the_run_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_GPT_ALERTS_BELL", "loud")
    assert "warning: TUI_GPT_ALERTS_BELL" in drawn(*SCRIPT)
