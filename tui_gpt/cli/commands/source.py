"""Which model and which text a command is about."""

from pathlib import Path

import click

from tui_gpt.cli.commands import common
from tui_gpt.errors import UsageError
from tui_gpt.text import corpora
from tui_gpt.text.encodings import NotTextError, decoded

_SIZE_LIMIT = 256 << 20


def chosen_source(ctx: click.Context) -> str | Path | None:
    """Return what `open_model` is to open: --run or --model-path, or None. Raises UsageError when both were given."""
    common.keep_one(ctx, "run", "model_path")
    source: str | Path | None = ctx.params["model_path"] or ctx.params["run"]
    return source


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
