"""Which model and which text a command is about."""

from pathlib import Path

import click

from tui_gpt.cli.commands import common
from tui_gpt.text import reading

_SIZE_LIMIT = 256 << 20


def chosen_source(ctx: click.Context) -> str | Path | None:
    """Return what `open_model` is to open: --run or --model-path, or None. Raises UsageError when both were given."""
    common.keep_one(ctx, "run", "model_path")
    source: str | Path | None = ctx.params["model_path"] or ctx.params["run"]
    return source


def read_text(place: str, *, as_bytes: bool = False) -> str:
    """Return the text of a file, or of stdin for `-`, see `reading.read_text`. Raises CorpusError."""
    return reading.read_text(place, _SIZE_LIMIT, as_bytes=as_bytes)
