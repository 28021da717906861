"""What a resumed run has to do again: the changes of settings that its log tells of after its last checkpoint.

The log is cut at the checkpoint before the run goes on, so those that are still to come are kept in a file of their own
first: however often a run is interrupted before its next save, none is forgotten. What the trainer changes by itself,
the rate after a roll-back, is left out, because it will do so again.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tui_gpt.events import Changed, Evaluated, Event, Sampled, Setting, from_json, to_json
from tui_gpt.files import atomic_write, read_plain_file
from tui_gpt.gpt.trainer import LIVE_SETTINGS, PLAN
from tui_gpt.manifest import CheckpointInfo
from tui_gpt.runs import Run

_FILE = "changes.jsonl"
_FILE_LIMIT = 16 << 20

Changes = dict[int, dict[str, Setting]]


def cut_log(run: Run, info: CheckpointInfo) -> Changes:
    """Cut the log of `run` at its checkpoint; the changes made there and later, by their steps. Raises StorageError."""
    step = info.step
    events = [*_kept(run.path / _FILE), *_changes_in(run.events())]
    ahead = [event for event in events if event.step >= step]
    later = [event for event in ahead if event.step > step]
    if later or (run.path / _FILE).exists():
        atomic_write(run.path / _FILE, "".join(to_json(event) + "\n" for event in later).encode())
    run.truncate_log(step, lambda event: event.step == step and _comes_again(event, info))
    changes: Changes = {}
    for event in ahead:
        changes.setdefault(event.step, {})[PLAN if event.origin == "plan" else event.setting] = event.value
    return changes


def _comes_again(event: Event, info: CheckpointInfo) -> bool:
    """Whether an event at the checkpoint's own step was measured or written only after it."""
    match event:
        case Evaluated():
            return info.extra.get("evaluated_step") != info.step
        case Sampled():
            return info.extra.get("sampled_step") != info.step
        case _:
            return False


def _changes_in(events: Iterator[Event]) -> Iterator[Changed]:
    """The changes of settings that somebody, or the clock, asked for."""
    for event in events:
        if isinstance(event, Changed) and event.origin != "trainer" and event.setting in LIVE_SETTINGS:
            yield event


def _kept(path: Path) -> Iterator[Changed]:
    """What an earlier resumption has kept; lines that are no change are passed over."""
    lines: list[str] = []
    with suppress(OSError, ValueError):
        lines = read_plain_file(path, _FILE_LIMIT).decode().splitlines()
    for line in lines:
        with suppress(ValueError, OverflowError, RecursionError):
            yield from _changes_in(iter([from_json(line)]))
