"""The escape sequences of alerts: the terminal's title, its bell, and a desktop notification where it has one.

Each method returns what has to be written to the terminal, "" for nothing; the command line and the app write it their
own way. A terminal is known by its environment variables alone. One that is not known gets no notification, so none
prints an escape sequence as text; inside tmux and screen, which keep those sequences from the terminal, the bell is
all there is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from tui_gpt.alerts import Alert
from tui_gpt.config import AlertConfig
from tui_gpt.escaping import escape_controls

NotificationCode = Literal["", "OSC 9", "OSC 777", "OSC 99"]

_BELL = "\a"
_ESC = "\x1b"
_SAVE_TITLE, _RESTORE_TITLE = f"{_ESC}[22;2t", f"{_ESC}[23;2t"
"""xterm's stack of titles; a terminal without it ignores both."""
_CLEAR_TITLE = f"{_ESC}]2;{_BELL}"
"""For terminals without the stack: they then show their default."""
_MAX_CHARACTERS = 200

_NO_TITLE = ("dumb", "unknown", "linux", "cons25", "sun", "eterm", "emacs")
"""Beginnings of the TERM of terminals without a title."""
_BY_PROGRAM: Mapping[str, NotificationCode] = {
    "iTerm.app": "OSC 9", "WezTerm": "OSC 777", "ghostty": "OSC 777", "WarpTerminal": "OSC 777",
}  # fmt: skip
"""What the terminals with this TERM_PROGRAM understand."""
_BY_TERM: Mapping[str, NotificationCode] = {
    "xterm-kitty": "OSC 99", "xterm-ghostty": "OSC 777", "foot": "OSC 777", "foot-extra": "OSC 777",
    "wezterm": "OSC 777", "rxvt-unicode": "OSC 777", "rxvt-unicode-256color": "OSC 777",
}  # fmt: skip
"""What the terminals with this TERM understand, also over SSH, which keeps TERM."""


@dataclass(frozen=True)
class TerminalFeatures:
    """What a terminal can do."""

    has_bell: bool
    has_title: bool
    notification: NotificationCode

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Return the features of the terminal with these environment variables."""
        term = environment.get("TERM", "")
        has_title = bool(term) and not term.startswith(_NO_TITLE)
        return cls(term not in ("", "dumb"), has_title, _notification_code(term, environment) if has_title else "")


def _notification_code(term: str, environment: Mapping[str, str]) -> NotificationCode:
    if "TMUX" in environment or "STY" in environment or term.startswith(("tmux", "screen")):
        return ""
    if environment.get("LC_TERMINAL") == "iTerm2":  # which SSH passes on, unlike TERM_PROGRAM
        return "OSC 9"
    return _BY_TERM.get(term) or _BY_PROGRAM.get(environment.get("TERM_PROGRAM", ""), "")


class TerminalAlerts:
    """The alerts of one terminal, as the user has set them."""

    def __init__(self, config: AlertConfig, environment: Mapping[str, str]) -> None:
        self._config = config
        self._features = TerminalFeatures.of(environment)
        self._title = ""
        """The title that is set; "" for the user's own."""

    def title(self, words: str) -> str:
        """Set the title, if it has changed; the user's own is saved first."""
        if not (self._config.title and self._features.has_title) or words == self._title:
            return ""
        save = "" if self._title else _SAVE_TITLE
        self._title = words
        return f"{save}{_ESC}]2;{_plain(f'{words} – tui-gpt')}{_BELL}"

    def restore_title(self) -> str:
        """Give the terminal its own title back, if it was changed."""
        if not self._title:
            return ""
        self._title = ""
        return _CLEAR_TITLE + _RESTORE_TITLE

    def ring(self, alert: Alert) -> str:
        """Draw attention to an alert, unless the user has asked for what it reports."""
        if alert.is_expected:
            return ""
        notification = self._notification(alert) if self._config.notification else ""
        return (_BELL if self._config.bell and self._features.has_bell else "") + notification

    def _notification(self, alert: Alert) -> str:
        heading, body = _plain(alert.heading).replace(";", ","), _plain(alert.message)
        match self._features.notification:
            case "OSC 9":
                return f"{_ESC}]9;{heading}: {body}{_BELL}"
            case "OSC 777":
                return f"{_ESC}]777;notify;{heading};{body}{_BELL}"
            case "OSC 99":
                end = f"{_ESC}\\"
                return f"{_ESC}]99;i=tui-gpt:d=0:p=title;{heading}{end}{_ESC}]99;i=tui-gpt:d=1:p=body;{body}{end}"
            case _:
                return ""


def _plain(words: str) -> str:
    """Return a line of limited length without control characters."""
    return escape_controls(" ".join(words.split()))[:_MAX_CHARACTERS]
