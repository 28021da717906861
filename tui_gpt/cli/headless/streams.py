"""The standard streams of a command, and what to do when one of them breaks."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

from tui_gpt.cli.progress_line import ProgressLine
from tui_gpt.control import Control


@dataclass(frozen=True)
class Streams:
    """The output of a command: data goes to `out`, text for people to `messages` unless `quiet`."""

    out: TextIO
    messages: TextIO
    quiet: bool = False

    @classmethod
    def standard(cls, *, quiet: bool = False) -> "Streams":
        """Return the process's own stdout and stderr."""
        return cls(sys.stdout, sys.stderr, quiet)

    def write_line(self, line: str) -> None:
        """Write a line to `messages`, unless quiet."""
        if not self.quiet:
            self.put(line + "\n")

    def put(self, text: str) -> None:
        """Write to `messages`, quiet or not. A closed terminal is no reason to fail."""
        with suppress(OSError, ValueError):
            self.messages.write(text)
            self.messages.flush()


@contextmanager
def busy(streams: Streams, name: str, control: Control | None = None) -> Iterator[None]:
    """Show on stderr every other second what is being done: `name`, until `control` reports something else."""
    reporting = control or Control()
    reporting.report(name)
    line = ProgressLine(streams.messages, silent=streams.quiet, activity=lambda: reporting.activity)
    try:
        with line.heartbeat():
            yield
    finally:
        line.clear()


def detach_stdout() -> None:
    """Redirect a broken stdout to the null device, so that the interpreter's final flush does not fail."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = None


def unwritable_stdout(error: OSError) -> str:
    """Return what is wrong with stdout, and the remedy."""
    if error.errno == errno.EBADF:
        return "stdout is closed: send it somewhere, e.g. with `> FILE`"
    return f"stdout cannot be written ({error.strerror}): free some space, or send it elsewhere"
