"""Signals that ask the program to end: the first one saves, the second one leaves at once; so does the first where
there is nothing to save. One that suspends it (Ctrl+Z) does so, and the time until it is continued counts as nobody's.

A handler may run between any two bytecodes of the main thread, so it does next to nothing: it sets the `Control` that
the work is polling, and writes straight to the file descriptor (a buffered stream may be in the middle of a write).
"""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from tui_gpt.control import Control

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SUSPENDING = "SIGTSTP"
_STDERR = 2
_CLEAR_LINE = b"\r\x1b[K"


class StopOnSignals:
    """While entered, SIGINT, SIGTERM and SIGHUP stop `control`; a second one ends the process. SIGTSTP suspends the
    process, and `control` leaves that time out.

    While `nothing_to_lose` is set, the first one does. Only the main thread may enter it.
    """

    def __init__(
        self,
        control: Control,
        message: str = "",
        *,
        leave: Callable[[int], Any] = os._exit,
        suspend: Callable[[], Any] = lambda: os.kill(os.getpid(), signal.SIGTSTP),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.received: int | None = None
        """The number of the first signal, once there was one."""
        self.nothing_to_lose = False
        """Set while there is nothing to save, as when torch is imported, which takes seconds and looks at no
        `control`."""
        self._control = control
        self._message = message
        self._leave = leave
        self._suspend = suspend
        self._clock = clock
        self._previous: dict[int, Any] = {}

    @property
    def exit_code(self) -> int | None:
        """128 plus the signal's number, once there was one."""
        return None if self.received is None else 128 + self.received

    def __enter__(self) -> Self:
        handlers = dict.fromkeys(_NAMES, self._handle) | {_SUSPENDING: self._handle_suspension}
        for name, handler in handlers.items():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None or self.nothing_to_lose:
            _say("")
            self._leave(128 + number)
            return
        self.received = number
        self._control.stop()
        if self._message:
            _say(self._message)

    def _handle_suspension(self, number: int, _frame: FrameType | None) -> None:
        """Stop as a program does that catches nothing; return when the process is continued."""
        began = self._clock()
        signal.signal(number, signal.SIG_DFL)
        self._suspend()
        signal.signal(number, self._handle_suspension)
        self._control.leave_out(self._clock() - began)


def _say(message: str) -> None:
    """Write a line of its own on stderr, also while a progress line stands there."""
    try:
        terminal = os.isatty(_STDERR)
        os.write(_STDERR, (_CLEAR_LINE if terminal else b"") + message.encode() + b"\n" if message or terminal else b"")
    except OSError:
        pass  # nobody is listening any more, which is no reason not to save
