"""The terminal that a command was started in."""

import sys
from contextlib import suppress

import click

from tui_gpt.inert import inert


def fits_the_app() -> bool:
    """Whether the app can open: it reads the keyboard from stdin and draws on stderr."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def say_error(sentence: str) -> None:
    """One line on stderr that tells what is wrong, if there still is a stderr."""
    with suppress(OSError):
        click.echo(f"error: {inert(' '.join(sentence.split()))}", err=True)
