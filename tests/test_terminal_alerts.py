"""The escape sequences of alerts, by terminal."""

import pytest

from tui_gpt.alerts import Alert, AlertState
from tui_gpt.config import AlertConfig
from tui_gpt.terminal_alerts import TerminalAlerts

XTERM = {"TERM": "xterm-256color"}


def alert(state: AlertState = "finished", message: str = "40 steps") -> Alert:
    return Alert(
        state=state, run="one", step=40, max_iters=40, best_val_loss=None, best_is_estimate=False, elapsed_seconds=2.0,
        message=message,
    )  # fmt: skip


def test_the_title_is_saved_set_once_for_each_change_and_restored() -> None:
    terminal = TerminalAlerts(AlertConfig(), XTERM)
    assert terminal.title("1% one") == "\x1b[22;2t\x1b]2;1% one – tui-gpt\x07"
    assert terminal.title("1% one") == ""
    assert terminal.title("2% one") == "\x1b]2;2% one – tui-gpt\x07"
    assert terminal.restore_title() == "\x1b]2;\x07\x1b[23;2t"
    assert terminal.restore_title() == ""
    assert terminal.title("2% one").startswith("\x1b[22;2t")


@pytest.mark.parametrize("environment", [{}, {"TERM": "dumb"}, {"TERM": "linux"}, {"TERM": "eterm-color"}])
def test_a_terminal_without_a_title_gets_none(environment: dict[str, str]) -> None:
    terminal = TerminalAlerts(AlertConfig(), environment)
    assert terminal.title("1% one") == terminal.restore_title() == ""


@pytest.mark.parametrize(
    ("environment", "notification"),
    [
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "\x1b]9;one finished: 40 steps\x07"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "\x1b]9;one finished: 40 steps\x07"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "\x1b]777;notify;one finished;40 steps\x07"),
        ({"TERM": "foot"}, "\x1b]777;notify;one finished;40 steps\x07"),
        (
            {"TERM": "xterm-kitty"},
            "\x1b]99;i=tui-gpt:d=0:p=title;one finished\x1b\\\x1b]99;i=tui-gpt:d=1:p=body;40 steps\x1b\\",
        ),
    ],
)
def test_a_known_terminal_shows_a_notification_after_the_bell(environment: dict[str, str], notification: str) -> None:
    assert TerminalAlerts(AlertConfig(), environment).ring(alert()) == "\a" + notification
    assert TerminalAlerts(AlertConfig(bell=False), environment).ring(alert()) == notification
    assert TerminalAlerts(AlertConfig(notification=False), environment).ring(alert()) == "\a"


@pytest.mark.parametrize(
    "environment",
    [
        XTERM,
        {"TERM": "linux"},
        {"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"},
        {"TERM": "xterm-256color", "WT_SESSION": "1"},
        {"TERM": "tmux-256color", "TERM_PROGRAM": "iTerm.app"},
        {"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"},
        {"TERM": "screen.xterm-256color", "STY": "1", "LC_TERMINAL": "iTerm2"},
    ],
)
def test_any_other_terminal_only_rings(environment: dict[str, str]) -> None:
    assert TerminalAlerts(AlertConfig(), environment).ring(alert()) == "\a"


@pytest.mark.parametrize("environment", [{}, {"TERM": "dumb"}])
def test_what_is_no_terminal_gets_nothing(environment: dict[str, str]) -> None:
    assert TerminalAlerts(AlertConfig(), environment).ring(alert()) == ""


def test_each_alert_can_be_turned_off() -> None:
    terminal = TerminalAlerts(AlertConfig(title=False, bell=False, notification=False), {"TERM": "foot"})
    assert terminal.title("1% one") == terminal.ring(alert()) == terminal.restore_title() == ""


def test_what_the_user_asked_for_does_not_ring() -> None:
    assert TerminalAlerts(AlertConfig(), {"TERM": "foot"}).ring(alert("stopped")) == ""


def test_no_text_can_end_the_sequence_or_begin_another_one() -> None:
    """Nor add a field to it."""
    text = "a\x07b\x1b]0;c\x9c\n;" + "x" * 500
    codes = TerminalAlerts(AlertConfig(), {"TERM": "foot"}).ring(alert("failed", text))
    assert codes.count("\x1b") == 1
    assert codes.count("\x07") == 2
    assert "\x9c" not in codes
    assert len(codes) < 300
    title = TerminalAlerts(AlertConfig(), XTERM).title(text)
    assert (title.count("\x1b"), title.count("\x07")) == (2, 1)
