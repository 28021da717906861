"""The command `tui-gpt`: what it is asked, in click's terms, and how every failure ends.

The faces and torch are imported inside the commands, so `--help` and the lists are there at once. All errors meet in
`run`: one line on stderr with the remedy in it, and an exit code; a traceback is never shown but kept as a report.
"""

import errno
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from tui_gpt import __version__
from tui_gpt.commands.common import need_terminal, say_error
from tui_gpt.commands.config import config
from tui_gpt.commands.data import data
from tui_gpt.commands.doctor import doctor
from tui_gpt.commands.evaluate import evaluate
from tui_gpt.commands.generate import generate
from tui_gpt.commands.runs import runs
from tui_gpt.commands.train import train
from tui_gpt.errors import EXIT_DONE, EXIT_FAILED, EXIT_SIGINT, EXIT_USAGE, TuiGptError

_STDOUT_ERRORS = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF})
"""All other errors of the disk have become StorageErrors by now."""
_OPTIONS = {"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "TUI_GPT"}


@click.group(invoke_without_command=True, context_settings=_OPTIONS)
@click.version_option(__version__, prog_name="tui-gpt", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Train a small GPT on a text of your choice and write with it, in your terminal.

    Without a command, the app opens. Every option can also be set in the environment (TUI_GPT_TRAIN_MAX_ITERS) or in a
    file (see `tui-gpt config`).
    """
    if ctx.invoked_subcommand is not None:
        return EXIT_DONE
    if not need_terminal():
        click.echo(ctx.get_help(), err=True)
        return EXIT_USAGE
    from tui_gpt.tui.app import run_app

    return run_app()


for _command in (train, generate, evaluate, runs, data, config, doctor):
    cli.add_command(_command)


def main() -> NoReturn:
    """The entry point: run the command line of this process and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say; the exit code. Raises nothing but SystemExit."""
    try:
        code = _invoke(arguments)
        _flush_stdout()
    except OSError as error:
        return _stdout_failed(error)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    try:
        code = cli.main(args=list(arguments), prog_name="tui-gpt", standalone_mode=False)
    except TuiGptError as error:
        say_error(str(error))
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
        return _report_crash(error)
    return code if isinstance(code, int) else EXIT_DONE


def _usage_sentence(error: click.ClickException) -> str:
    sentence = error.format_message().rstrip(".")
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return sentence if ctx is None else f"{sentence}: see `{ctx.command_path} --help`"


def _report_crash(error: Exception) -> int:
    from tui_gpt import crash

    say_error(crash.sentence(crash.write_report(error)))
    return EXIT_FAILED


def _flush_stdout() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _stdout_failed(error: OSError) -> int:
    """Nobody reads stdout any more, which is no news to anybody, or it cannot be written."""
    from tui_gpt.headless import EXIT_READER_GONE, let_go_of_stdout

    let_go_of_stdout()
    if isinstance(error, BrokenPipeError):
        return EXIT_READER_GONE
    say_error(f"stdout cannot be written ({error.strerror}): free some space, or send it elsewhere")
    return EXIT_FAILED
