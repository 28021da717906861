"""Which model and which text a command is about."""

from pathlib import Path

import click
from click.core import ParameterSource

from tui_gpt import corpora
from tui_gpt.encodings import NotTextError, decoded
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
    """Return all of a UTF-8 text file, or of stdin for `-`, with `\\n` line ends. Raises UsageError."""
    try:
        if place == corpora.STDIN:
            data = corpora.stdin_bytes(limit=_SIZE_LIMIT)
        else:
            with Path(place).expanduser().open("rb") as file:
                data = corpora.all_of(file, place, _SIZE_LIMIT)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "that cannot be a path"
        raise UsageError(f"{place} cannot be read ({reason}): name a text file") from error
    try:
        return decoded(data)
    except NotTextError as error:
        raise UsageError(f"{'stdin' if place == corpora.STDIN else place} {error}") from error
