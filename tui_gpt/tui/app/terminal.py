"""The terminal around the app: suspending the process, and keeping the output of native libraries off the screen."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tui_gpt.storage import paths
from tui_gpt.storage.plain_files import open_plain

_BACKGROUND_SECONDS = 0.1


def stop_until_foreground() -> None:
    """Stop this process and those that wrap it, as Ctrl+Z does; return when the shell has given the terminal back.

    Without a shell that could do so, the system ignores the signal.
    """
    while True:
        os.kill(0, signal.SIGTSTP)
        if _is_in_foreground():
            return
        time.sleep(_BACKGROUND_SECONDS)  # after the shell's `bg`: nothing can be drawn, so it stops again


def _is_in_foreground() -> bool:
    """Return True also if the terminal is gone: then there is nothing to wait for."""
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno() if sys.__stdin__ else 0) == os.getpgrp()
    except OSError:
        return True


@contextmanager
def native_output_in_a_file() -> Iterator[None]:
    """Redirect what native libraries print to a log; the screen itself is written to stderr.

    Textual asks the terminal behind `sys.__stdout__` for its size, so that stays the terminal.
    """
    sys.stdout.flush()
    original = sys.__stdout__
    with os.fdopen(os.dup(1), "w") as terminal:
        try:
            log = _open_log()
            os.dup2(log, 1)
            os.close(log)
            sys.__stdout__ = terminal  # type: ignore[misc]  # typeshed calls it final, but Textual reads it
            yield
        finally:
            sys.__stdout__ = original  # type: ignore[misc]  # see above
            sys.stdout.flush()
            os.dup2(terminal.fileno(), 1)


def _open_log() -> int:
    try:
        paths.logs_dir().mkdir(parents=True, exist_ok=True)
        log = open_plain(paths.logs_dir() / "native.log", os.O_WRONLY | os.O_CREAT)
        os.ftruncate(log, 0)
        return log
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
