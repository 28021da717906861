"""The command `tui-gpt`: what it is asked, in click's terms, and how every failure ends.

The faces and torch are imported inside the commands, so `--help` and the lists are there at once. All errors meet in
`run`: one line on stderr with the remedy in it, and an exit code; a traceback is never shown but kept as a report.
"""

import atexit
import errno
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import NoReturn

import click
from click.core import ParameterSource

from tui_gpt import __version__
from tui_gpt.cli.commands.terminal import NO_TERMINAL, fits_the_app, occupy_closed_descriptors, say_error
from tui_gpt.cli.out_of_memory import OUT_OF_MEMORY, is_out_of_memory
from tui_gpt.errors import EXIT_DONE, EXIT_FAILED, EXIT_SIGINT, EXIT_USAGE, TuiGptError

_STDOUT_ERRORS = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF})
"""All other errors of the disk have become StorageErrors by now."""
_OPTIONS = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "TUI_GPT"}


_COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "train": ("train:train", "Train a model, in the app or headless."),
        "generate": ("generate:generate", "Write a text that goes on from a prompt."),
        "eval": ("evaluate:evaluate", "Measure a model, on its validation split or on any text."),
        "runs": ("runs:runs", "List, show, copy and remove what has been trained."),
        "data": ("data:data", "List, add and look at the texts to learn from."),
        "config": ("config:config", "Look at and set your own defaults."),
        "doctor": ("doctor:doctor", "Check that everything is there and works."),
    }
)
"""Where each command is, below `tui_gpt.cli.commands`, and what it does."""


class _Menu(click.Group):
    """A group that imports a command only when it is asked for, so that its own help costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"tui_gpt.cli.commands.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=_Menu, invoke_without_command=True, context_settings=_OPTIONS)
@click.version_option(__version__, prog_name="tui-gpt", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Train a small GPT on a text of your choice and write with it, in your terminal.

    Without a command, the app opens. Every option can also be set in the environment (TUI_GPT_TRAIN_MAX_ITERS) or in a
    file (see `tui-gpt config`).
    """
    if ctx.invoked_subcommand is not None:
        return EXIT_DONE
    if not fits_the_app():
        click.echo(ctx.get_help(), err=True)
        say_error(NO_TERMINAL)
        return EXIT_USAGE
    from tui_gpt.tui.app.app import run_app

    return run_app()


def main() -> NoReturn:
    """The entry point: run the command line of this process and leave with its exit code."""
    began = time.monotonic() - time.process_time()
    occupy_closed_descriptors()
    end = _FastExit()
    atexit.register(end)  # the first to be registered is the last to be called
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    end.code = run(sys.argv[1:], began)
    sys.exit(end.code)


@dataclass
class _FastExit:
    """Ends a process with torch in it once nothing is left but to take the interpreter apart, which would be a second
    of nobody's time, several on a busy machine. Threads have been waited for by then, and exit handlers called."""

    code: int | None = None
    """What `run` returned; None where it did not."""

    def __call__(self) -> None:
        if self.code is None or "torch" not in sys.modules:
            return
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(self.code)


def run(arguments: Sequence[str], began: float | None = None) -> int:
    """Do what the arguments say; the exit code. Raises nothing but SystemExit.

    `began` is when the process began, as `time.monotonic()` tells it: a time budget counts from there.
    """
    try:
        code = _invoke(arguments, began)
        _flush_stdout()
    except OSError as error:
        return _stdout_failed(error)
    return code


def _invoke(arguments: Sequence[str], began: float | None) -> int:
    try:
        return _dispatch(arguments, began)
    except TuiGptError as error:
        say_error(str(error))
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        say_error(_usage_sentence(error))
        return error.exit_code
    except click.Abort:
        say_error("nothing was done")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_SIGINT
    except OSError as error:
        if error.errno in _STDOUT_ERRORS:
            raise
        return _report_crash(error)
    except Exception as error:
        if is_out_of_memory(error):
            say_error(OUT_OF_MEMORY)
            return EXIT_FAILED
        return _report_crash(error)


def _dispatch(arguments: Sequence[str], began: float | None) -> int:
    """Let click find the command and run it; unlike click's own `main`, this leaves every exception as it is."""
    try:
        with cli.make_context("tui-gpt", list(arguments), obj=began) as ctx:
            code = cli.invoke(ctx)
    except click.exceptions.Exit as request:
        return request.exit_code
    return code if isinstance(code, int) else EXIT_DONE


def _usage_sentence(error: click.ClickException) -> str:
    sentence = error.format_message().rstrip(".")
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    if ctx is None:
        return sentence
    variable = _variable_to_blame(error, ctx) if isinstance(error, click.BadParameter) else None
    if variable is not None:
        return f"{variable} in the environment: {error.message.rstrip('.')}: change or unset it"
    return f"{sentence}: see `{ctx.command_path} --help`"


def _variable_to_blame(error: click.BadParameter, ctx: click.Context) -> str | None:
    """Return the environment variable that holds a bad value; None where the value came from elsewhere."""
    name = error.param.name if error.param else None
    if name is None or ctx.get_parameter_source(name) is not ParameterSource.ENVIRONMENT:
        return None
    return f"{ctx.auto_envvar_prefix}_{name.upper()}"


def _report_crash(error: Exception) -> int:
    from tui_gpt.storage import crash

    say_error(crash.sentence(crash.write_report(error)))
    return EXIT_FAILED


def _flush_stdout() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _stdout_failed(error: OSError) -> int:
    """Nobody reads stdout any more, which is no news to anybody, or it cannot be written."""
    from tui_gpt.cli.headless import EXIT_READER_GONE, detach_stdout, unwritable_stdout

    detach_stdout()
    if isinstance(error, BrokenPipeError):
        return EXIT_READER_GONE
    say_error(unwritable_stdout(error))
    return EXIT_FAILED
