"""Signal handling of a headless command: the first signal saves and stops, the second one exits immediately.

A handler may run between any two bytecodes of the main thread, so it does very little: it sets the `Control` that the
worker polls, and writes directly to the file descriptor (a buffered stream may be in the middle of a write).
"""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from tui_gpt.control import Control
from tui_gpt.errors import SIGNAL_EXIT_CODES

_SUSPENDING = "SIGTSTP"
_STDERR = 2
_CLEAR_LINE = b"\r\x1b[K"


class StopOnSignals:
    """While entered, SIGINT, SIGTERM and SIGHUP stop `control`, or call `stop` instead; a second one exits immediately.

    SIGTSTP (Ctrl+Z) suspends the process, and `control` does not count that time. Only the main thread may enter it.
    """

    def __init__(
        self,
        control: Control,
        message: str = "",
        *,
        stop: Callable[[], object] | None = None,
        leave: Callable[[int], Any] = os._exit,
        suspend: Callable[[], Any] = lambda: os.kill(os.getpid(), signal.SIGTSTP),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.received: int | None = None
        """The number of the first signal; None before it."""
        self.nothing_to_lose = False
        """True while the first signal may exit immediately, e.g. during the import of torch, which takes seconds and
        polls no `control`."""
        self._control = control
        self._stop = control.stop if stop is None else stop
        self._message = message
        self._leave = leave
        self._suspend = suspend
        self._clock = clock
        self._previous: dict[int, Any] = {}

    @property
    def exit_code(self) -> int | None:
        """The exit code of the first signal; None before it."""
        return None if self.received is None else _exit_code_of(self.received)

    def __enter__(self) -> Self:
        handlers = dict.fromkeys(SIGNAL_EXIT_CODES, self._handle) | {_SUSPENDING: self._handle_suspension}
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
            self._leave(_exit_code_of(number))
            return
        self.received = number
        self._stop()
        if self._message:
            _say(self._message)

    def _handle_suspension(self, number: int, _frame: FrameType | None) -> None:
        """Suspend the process as if the signal were not handled; return when it is continued."""
        began = self._clock()
        signal.signal(number, signal.SIG_DFL)
        self._suspend()
        signal.signal(number, self._handle_suspension)
        self._control.exclude_seconds(self._clock() - began)


def _exit_code_of(number: int) -> int:
    return SIGNAL_EXIT_CODES[signal.Signals(number).name]


def _say(message: str) -> None:
    """Write a line on stderr, replacing a progress line."""
    try:
        terminal = os.isatty(_STDERR)
        os.write(_STDERR, (_CLEAR_LINE if terminal else b"") + message.encode() + b"\n" if message or terminal else b"")
    except OSError:
        pass  # stderr is closed, which is no reason not to save
