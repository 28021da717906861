"""`tui-gpt runs attach|pause|resume|save|change|stop`: follow and control a run that another process trains."""

import time
from typing import Any

import click

from tui_gpt.cli.commands import common, completion
from tui_gpt.config import LIVE_SETTINGS
from tui_gpt.errors import RequestRefusedError, TuiGptError, UsageError
from tui_gpt.formatting import format_duration
from tui_gpt.storage import settings
from tui_gpt.storage.runs import Run
from tui_gpt.storage.runs.live.attach import require_writer, send_request
from tui_gpt.storage.runs.live.requests import RunRequest

STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05


@click.command("attach")
@click.argument("name", metavar="RUN", shell_complete=completion.runs)
@click.option("--json", "as_json", is_flag=True, help="One event per line on stdout, from the first one on.")
@click.option("--quiet", is_flag=True, help="Print only errors on stderr.")
def attach_run(name: str, as_json: bool, quiet: bool) -> int:
    """Follow a run that another process trains, until it ends.

    Ctrl+C detaches, and the run continues.
    """
    from tui_gpt.cli.headless import attach
    from tui_gpt.cli.headless.streams import Streams

    require_writer(common.own_run(name))
    return attach.attach(common.make_session(), name, Streams.standard(quiet=quiet), as_json=as_json)


@click.command("pause")
@click.argument("name", metavar="RUN", shell_complete=completion.runs)
def pause_run(name: str) -> None:
    """Pause a run after its current step."""
    send_request(common.own_run(name), RunRequest(action="pause"))


@click.command("resume")
@click.argument("name", metavar="RUN", shell_complete=completion.runs)
def resume_run(name: str) -> None:
    """Let a paused run continue."""
    send_request(common.own_run(name), RunRequest(action="resume"))


@click.command("save")
@click.argument("name", metavar="RUN", shell_complete=completion.runs)
def save_run(name: str) -> None:
    """Have a run save a checkpoint after its current step."""
    send_request(common.own_run(name), RunRequest(action="save"))


@click.command("change")
@click.argument("name", metavar="RUN", shell_complete=completion.runs)
@common.setting_options("train", [name for name in settings.TRAIN_HELP if name in LIVE_SETTINGS], "Settings")
@click.pass_context
def change_run(ctx: click.Context, /, name: str, **_: Any) -> None:
    """Change settings of a run after its current step."""
    changes = {setting: ctx.params[setting] for setting in LIVE_SETTINGS if common.typed(ctx, setting)}
    if not changes:
        raise UsageError("there is nothing to change: add an option, e.g. --learning-rate 0.001")
    send_request(common.own_run(name), RunRequest(action="change", changes=changes))


@click.command("stop")
@click.argument("name", metavar="RUN", shell_complete=completion.runs)
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=STOP_SECONDS, show_default=True, metavar="SECONDS",
    help="How long to wait for the end.",
)  # fmt: skip
def stop_run(name: str, timeout: float) -> None:
    """Save and stop a run, and wait until it has ended."""
    run, until = common.own_run(name), time.monotonic() + timeout
    writer = run.writer()
    if writer is None:
        click.echo(f"{name} is not training", err=True)
        return
    try:
        send_request(run, RunRequest(action="stop"))
    except RequestRefusedError:
        if run.writer() == writer:
            raise
    _wait_for_end(run, writer, until, timeout)
    click.echo(f"{name} is {run.state} at step {run.summary().step:,}", err=True)


def _wait_for_end(run: Run, writer: str, until: float, timeout: float) -> None:
    """Wait until a process writes the run no longer. Raises TuiGptError when it takes too long."""
    while run.writer() == writer:
        if time.monotonic() >= until:
            raise TuiGptError(
                f"{run.name} has not ended after {format_duration(timeout)} and will once saved: wait longer with "
                "--timeout"
            )
        time.sleep(_POLL_SECONDS)


COMMANDS = (attach_run, pause_run, resume_run, save_run, change_run, stop_run)
