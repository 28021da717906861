"""Which model and which text a command is about."""

import sys
from pathlib import Path

import click
from click.core import ParameterSource

from tui_gpt.errors import UsageError

_SIZE_LIMIT = 256 << 20


def chosen_source(ctx: click.Context) -> str | Path | None:
    """What `open_model` is to open: --model-path, else --run, else None. Raises UsageError when both were given."""
    run: str | None = ctx.params["run"]
    model_path: Path | None = ctx.params["model_path"]
    if model_path is None:
        return run
    if run is not None and ctx.get_parameter_source("run") is ParameterSource.COMMANDLINE:
        raise UsageError("--run and --model-path cannot go together: leave one of them out")
    return model_path


def read_text(place: str) -> str:
    """All of a UTF-8 text file, or of stdin for `-`, with `\\n` line ends. Raises UsageError."""
    try:
        if place == "-":
            data = sys.stdin.buffer.read(_SIZE_LIMIT + 1)
        else:
            with Path(place).expanduser().open("rb") as file:
                data = file.read(_SIZE_LIMIT + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{place} cannot be read ({error.strerror or error}): name a text file") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{place} is not UTF-8 (byte {error.start + 1:,}): convert it first, e.g. with iconv"
        ) from error
    if len(data) > _SIZE_LIMIT:
        raise UsageError(f"{place} is larger than {_SIZE_LIMIT >> 20} MB: choose a smaller part of it")
    return text.replace("\r\n", "\n").replace("\r", "\n")
