"""The command `tui-gpt`: dispatch to the commands, and handling of every failure.

The commands and torch are imported when they are needed, so `--help` and the lists are fast. All errors end in `run`:
one line on stderr that names the remedy, and an exit code. A traceback is never shown, but saved as a report.
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
from tui_gpt.cli.commands.terminal import NO_TERMINAL, fits_the_app, occupy_closed_descriptors, print_error
from tui_gpt.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_SIGINT,
    EXIT_SIGPIPE,
    EXIT_USAGE,
    OUT_OF_MEMORY,
    TuiGptError,
    is_out_of_memory,
)
from tui_gpt.storage.names import did_you_mean

COMPLETE_VARIABLE = "_TUI_GPT_COMPLETE"
"""The environment variable by which a shell asks for completions, or for its completion script."""
_STDOUT_ERRORS = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF})
"""Errors of writing to stdout; all other I/O errors have become a StorageError by then."""
_CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "auto_envvar_prefix": "TUI_GPT",
    "token_normalize_func": lambda token: token.replace("_", "-"),
}
"""Settings of click for every command; `--max_iters` is `--max-iters`."""


_COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "train": ("train:train", "Train a model, in the app or headless."),
        "generate": ("generate:generate", "Generate text from a prompt."),
        "eval": ("evaluate:evaluate", "Evaluate a model on its validation split or on any text."),
        "demo": ("demo:demo", "Replay a recorded training in half a minute."),
        "learn": ("learn:learn", "Learn in eight screens how a language model works."),
        "runs": ("runs:runs", "Manage runs."),
        "data": ("data:data", "Manage training texts."),
        "notebook": ("notebook:notebook", "Export or import the cards of the Generate tab."),
        "config": ("config:config", "Show or edit your defaults."),
        "doctor": ("doctor:doctor", "Check the installation."),
    }
)
"""For each command its place below `tui_gpt.cli.commands`, and a summary."""


class _Menu(click.Group):
    """A group that imports a command only when it is run, so that its own help is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"tui_gpt.cli.commands.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"there is no command {name!r}{did_you_mean(name, _COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=_Menu, invoke_without_command=True, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="tui-gpt", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Train a small GPT on a text of your choice and generate text with it, in your terminal.

    Without a command, the app opens. Every option can also be set by an environment variable (TUI_GPT_TRAIN_MAX_ITERS)
    or in a file (see `tui-gpt config`).
    """
    if ctx.invoked_subcommand is not None:
        return EXIT_DONE
    if not fits_the_app():
        click.echo(ctx.get_help(), err=True)
        print_error(NO_TERMINAL)
        return EXIT_USAGE
    from tui_gpt.tui.app.app import run_app

    return run_app()


def main() -> NoReturn:
    """Run the command line of this process and exit with its code."""
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
    """Skips the interpreter's teardown, which takes about a second with torch loaded.

    Threads have been joined and all other exit handlers called by then.
    """

    code: int | None = None
    """What `run` returned; None if it has not."""

    def __call__(self) -> None:
        if self.code is None or "torch" not in sys.modules:
            return
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(self.code)


def run(arguments: Sequence[str], began: float | None = None) -> int:
    """Run a command and return its exit code. Raises nothing but SystemExit.

    `began` is when the process started, on the clock of `time.monotonic()`: a time budget counts from there.
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
        print_error(str(error))
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        print_error(_usage_sentence(error))
        return error.exit_code
    except click.Abort:
        print_error("aborted: nothing was changed")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_SIGINT
    except OSError as error:
        if error.errno in _STDOUT_ERRORS:
            raise
        return _report_crash(error)
    except Exception as error:
        if is_out_of_memory(error):
            print_error(OUT_OF_MEMORY)
            return EXIT_FAILED
        return _report_crash(error)


def _dispatch(arguments: Sequence[str], began: float | None) -> int:
    """Run a command by click; unlike click's own `main`, this handles no exception but the request to exit.

    A shell that asks for completions gets those instead.
    """
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "tui-gpt", COMPLETE_VARIABLE, instruction)
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
    variable = _environment_variable_of(error, ctx) if isinstance(error, click.BadParameter) else None
    if variable is not None:
        return f"{variable} in the environment: {error.message.rstrip('.')}: change or unset it"
    return f"{sentence}: see `{ctx.command_path} --help`"


def _environment_variable_of(error: click.BadParameter, ctx: click.Context) -> str | None:
    """Return the environment variable that a bad value came from; None for another source."""
    name = error.param.name if error.param else None
    if name is None or ctx.get_parameter_source(name) is not ParameterSource.ENVIRONMENT:
        return None
    return f"{ctx.auto_envvar_prefix}_{name.upper()}"


def _report_crash(error: Exception) -> int:
    from tui_gpt.storage import crash

    print_error(crash.sentence(crash.write_report(error)))
    return EXIT_FAILED


def _flush_stdout() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _stdout_failed(error: OSError) -> int:
    """Report that stdout cannot be written, unless its reader has exited; return the exit code."""
    from tui_gpt.cli.headless.streams import detach_stdout, unwritable_stdout

    detach_stdout()
    if isinstance(error, BrokenPipeError):
        return EXIT_SIGPIPE
    print_error(unwritable_stdout(error))
    return EXIT_FAILED
