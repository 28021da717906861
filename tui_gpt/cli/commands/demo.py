"""`tui-gpt demo`: a recorded training, in the app."""

import click

from tui_gpt.cli.commands import terminal
from tui_gpt.errors import UsageError


@click.command()
def demo() -> int:
    """Replay a recorded training in half a minute: chart and samples, as in the app.

    p pauses, + and - change the speed, q quits. Nothing is trained and nothing is written.
    """
    if not terminal.fits_the_app():
        raise UsageError(
            "the demo needs a terminal on stdin and stderr: run it in one, or train with `tui-gpt train --headless`"
        )
    from tui_gpt.tui.app.app import run_app
    from tui_gpt.tui.demo.recording import Recording

    return run_app(recording=Recording.load())
