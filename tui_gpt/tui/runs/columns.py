"""The columns of the list of runs: words, widths and values to sort by, without a widget."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import format_age, format_bytes, format_loss, text_name
from tui_gpt.keys import Keymap
from tui_gpt.storage.runs import RunSummary

PADDING = 2
"""Cells beside each column."""
_MAX_NAME, _MAX_NOTE = 32, 60
_STATE_ORDER = ("training here", "paused here", "elsewhere", "elsewhere ‖", "elsewhere ?")
"""The states of runs in progress; they come first in order of state."""


@dataclass(frozen=True)
class Column:
    """A column of the list."""

    key: str
    title: str
    width: int
    """Cells; the least for those that grow with the list."""
    words: Callable[[RunSummary, float], str]
    """The text of a cell; the second argument is the present time, in seconds since 1970."""
    value: Callable[[RunSummary], tuple[float | str, ...] | None]
    """What runs are sorted by; None is last in both directions."""
    to_the_right: bool = False
    largest_first: bool = False
    """Whether the first choice of this column sorts from large to small."""


def state_words(run: RunSummary) -> str:
    """Return the state of a run in a few words, with the process that trains it."""
    if run.state in ("running", "paused") and run.writer == "elsewhere":
        return "elsewhere ?" if run.writer_is_silent else "elsewhere" if run.state == "running" else "elsewhere ‖"
    match run.state:
        case "running":
            return "training here"
        case "paused":
            return "paused here"
        case "interrupted":
            return "crashed"
        case state:
            return state


def state_sentence(run: RunSummary, keymap: Keymap) -> str:
    """Return what the words of a state leave open; empty for the others."""
    match state_words(run):
        case "elsewhere":
            return "another process trains it"
        case "elsewhere ‖":
            return "another process has paused it"
        case "elsewhere ?":
            return "the process that trains it gives no sign of life"
        case "crashed":
            return keymap.fill("its process has died; {runs.resume} resumes it")
        case "damaged":
            return "its run.json cannot be read"
        case _:
            return ""


def step_words(run: RunSummary) -> str:
    """Return the step and, if it is known, the last step."""
    return f"{run.step:,}/{run.max_iters:,}" if run.max_iters else f"{run.step:,}"


def _updated_value(run: RunSummary) -> tuple[float | str, ...]:
    """Return the time of the last change; runs in progress, which change all the time, keep an order among them."""
    is_in_progress = run.state in ("running", "paused") and run.writer
    return (math.inf, run.name.lower()) if is_in_progress else (run.updated,)


def _state_value(run: RunSummary) -> tuple[float | str, ...]:
    words = state_words(run)
    return (_STATE_ORDER.index(words) if words in _STATE_ORDER else len(_STATE_ORDER), words)


COLUMNS: Sequence[Column] = (
    Column("run", "run", 16, lambda run, _: escape_controls(run.name), lambda run: (run.name.lower(),)),
    Column("state", "state", 13, lambda run, _: state_words(run), _state_value),
    Column("preset", "preset", 7, lambda run, _: run.preset, lambda run: (run.preset,) if run.preset else None),
    Column(
        "text", "text", 15, lambda run, _: escape_controls(text_name(run.corpus)),
        lambda run: (text_name(run.corpus).lower(),) if run.corpus else None,
    ),
    Column(
        "step", "step", 13, lambda run, _: step_words(run), lambda run: (run.step,), to_the_right=True,
        largest_first=True,
    ),
    Column(
        "loss", "best loss", 9, lambda run, _: format_loss(run.best_val_loss, is_estimate=run.best_is_estimate),
        lambda run: None if run.best_val_loss is None else (run.best_val_loss,), to_the_right=True,
    ),
    Column(
        "size", "size", 7, lambda run, _: format_bytes(run.size), lambda run: (run.size,), to_the_right=True,
        largest_first=True,
    ),
    Column(
        "updated", "updated", 10, lambda run, now: format_age(max(0.0, now - run.updated)),
        _updated_value, to_the_right=True, largest_first=True,
    ),
    Column(
        "note", "note", 12, lambda run, _: escape_controls(run.note),
        lambda run: (run.note.lower(),) if run.note else None,
    ),
)  # fmt: skip
"""From left to right."""
_BY_KEY = {column.key: column for column in COLUMNS}
_PRIORITY = ("run", "state", "loss", "updated", "step", "size", "preset", "note", "text")
"""The first ones are shown where the list is narrow."""


def column_of(key: str) -> Column:
    """Return the column of that key."""
    return _BY_KEY[key]


def fitting(width: int) -> list[tuple[Column, int]]:
    """Return the columns that fit into a list of `width` cells, with their widths; the name and the note grow."""
    left, chosen = width, set[str]()
    for key in _PRIORITY:
        left -= _BY_KEY[key].width + PADDING
        if left < 0 and chosen:
            left += _BY_KEY[key].width + PADDING
            break
        chosen.add(key)
    widths = {key: _BY_KEY[key].width for key in chosen}
    for key, most in (("run", _MAX_NAME), ("note", _MAX_NOTE)):
        more = min(max(0, left), most - widths.get(key, most))
        if key in widths:
            widths[key] += more
            left -= more
    return [(column, widths[column.key]) for column in COLUMNS if column.key in chosen]
