"""Generated text on its way to stdout: sanitised for a terminal, raw otherwise, flushed every 30 ms."""

import math
import os
import stat
import time
from collections.abc import Callable
from typing import TextIO

from tui_gpt.escaping import escape_controls

_FLUSH_SECONDS = 0.03


class TextOutput:
    """A stream for generated text."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.terminal = out.isatty()
        self.is_file = _is_file(out)
        self._out = out
        self._clock = clock
        self._last_flush = -math.inf
        self._at_line_start = True

    def put(self, text: str) -> None:
        """Write some text; flush it unless that was done a moment ago."""
        self._out.write(escape_controls(text) if self.terminal else text)
        self._at_line_start = text.endswith("\n") if text else self._at_line_start
        if self._clock() - self._last_flush >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Flush the stream."""
        self._out.flush()
        self._last_flush = self._clock()

    def end_line(self) -> None:
        """End the current line, unless it is empty, and flush."""
        if not self._at_line_start:
            self.put("\n")
        self.flush()


def _is_file(out: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(out.fileno()).st_mode)
    except (OSError, ValueError):
        return False
