"""Summaries of runs that are not on disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tui_gpt.storage.runs import RunSummary

_PLAIN = RunSummary(
    name="plays", state="finished", preset="nano", corpus="tinyshakespeare", step=100, max_iters=200, best_val_loss=1.5,
    updated=1e9, path=Path("runs/plays"), has_checkpoint=True, size=2_500_000,
)  # fmt: skip


def summary(name: str, **changes: Any) -> RunSummary:
    """Return the summary of a finished run, with some fields changed; its characters are of one byte."""
    run = replace(_PLAIN, name=name, path=Path("runs") / name, **changes)
    return run if run.best_val_loss is None else replace(run, best_bits_per_char=run.best_val_loss / 0.693147)
