"""The terminal that a command was started in."""

import os
import sys
from contextlib import suppress

import click

from tui_gpt.escaping import escape_controls

NO_TERMINAL = "the app needs a terminal on stdin and stderr: use a command, e.g. `tui-gpt train --headless`"


def fits_the_app() -> bool:
    """Whether the app can open: it reads the keyboard from stdin and draws on stderr."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def say_error(sentence: str) -> None:
    """One line on stderr that tells what is wrong, if there still is a stderr."""
    with suppress(OSError):
        click.echo(f"error: {escape_controls(' '.join(sentence.split()))}", err=True)


def occupy_closed_descriptors() -> None:
    """Give stdin, stdout and stderr something to be where the shell has closed them.

    The next file that is opened would else take their place, and what a library writes to stderr would go into it. A
    closed stdout fails when it is written, as it does elsewhere; what goes to a closed stderr is dropped.
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
