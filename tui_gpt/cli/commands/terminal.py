"""The terminal of this process, and its three standard descriptors."""

import os
import sys
from contextlib import suppress

import click

from tui_gpt.escaping import escape_controls

NO_TERMINAL = "the app needs a terminal on stdin and stderr: use a command, e.g. `tui-gpt train --headless`"


def fits_the_app() -> bool:
    """Return whether the app can open: it reads the keyboard from stdin and draws on stderr."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def print_error(sentence: str) -> None:
    """Write an error in one line on stderr, unless stderr is closed."""
    with suppress(OSError):
        click.echo(f"error: {escape_controls(' '.join(sentence.split()))}", err=True)


def occupy_closed_descriptors() -> None:
    """Open the null device as stdin, stdout or stderr if the shell has closed one of them.

    Otherwise the next opened file would get that descriptor, and receive what a library writes to stderr. Writing to a
    closed stdout still fails; what is written to a closed stderr is dropped.
    """
    if sys.stdin is None:
        _occupy(0, os.O_WRONLY)
    if sys.stdout is None:
        _occupy(1, os.O_RDONLY)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # a descriptor
    if sys.stderr is None:
        _occupy(2, os.O_WRONLY)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # a descriptor


def _occupy(descriptor: int, flags: int) -> None:
    opened = os.open(os.devnull, flags)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
