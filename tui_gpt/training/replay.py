"""Setting changes that were logged after the last checkpoint, to be repeated when a run is resumed.

The log is cut at the checkpoint before the run continues. The changes after it are first saved to a file, so none is
lost however often a run is interrupted before its next checkpoint. What the trainer itself changes, the learning rate
after a roll-back, is left out, because it will do so again.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from tui_gpt.config import LIVE_SETTINGS
from tui_gpt.events import Evaluated, Event, Sampled, SettingChanged, SettingValue, from_json, to_json
from tui_gpt.storage.files import atomic_write, storage_errors
from tui_gpt.storage.manifest import CheckpointInfo
from tui_gpt.storage.plain_files import read_plain_file
from tui_gpt.storage.runs import Run
from tui_gpt.training.budget.time_budget import ESTIMATE, PLAN

_FILE = "changes.jsonl"
_FILE_LIMIT = 16 << 20

Changes = dict[int, dict[str, SettingValue]]


def cut_log(run: Run, info: CheckpointInfo) -> Changes:
    """Cut the log of `run` at its checkpoint; return the changes from there on, by step. Raises StorageError."""
    step = info.step
    events = [*_saved_changes(run), *_changes_in(run.events())]
    ahead = [event for event in events if event.step >= step]
    later = [event for event in ahead if event.step > step]
    if later or os.path.lexists(run.path / _FILE):
        atomic_write(run.path / _FILE, "".join(to_json(event) + "\n" for event in later).encode())
    run.log.truncate(step, _LaterMeasurements(info))
    changes: Changes = {}
    for event in ahead:
        at_step = changes.setdefault(event.step, {})
        if event.origin == "plan" and event.setting == "max_iters":
            at_step[PLAN] = event.value
            continue
        at_step[event.setting] = event.value
        if event.setting == "max_iters":
            at_step.pop(PLAN, None)  # the user replaced the plan
    return changes


class _LaterMeasurements:
    """Returns for each event of a log, in order, whether it follows the checkpoint and will happen again."""

    def __init__(self, info: CheckpointInfo) -> None:
        self._info = info
        self._newest = 0

    def __call__(self, event: Event) -> bool:
        self._newest = max(self._newest, event.step)
        extra, step = self._info.extra, self._info.step
        match event:
            case Evaluated():  # the best model is measured again at the end, with its own step
                return self._newest > step or (self._newest == step and extra.get("evaluated_step") != step)
            case Sampled():
                return event.step == step and extra.get("sampled_step") != step
            case _:
                return False


def _changes_in(events: Iterator[Event]) -> Iterator[SettingChanged]:
    """Yield the changes of settings that the user or the plan of a time budget made."""
    for event in events:
        match event:
            case SettingChanged(origin="user" | "plan", setting=setting) if setting in {*LIVE_SETTINGS, ESTIMATE}:
                yield event


def _saved_changes(run: Run) -> Iterator[SettingChanged]:
    """Yield the changes that an earlier resume has saved; other lines are skipped. Raises StorageError."""
    path = run.path / _FILE
    if not os.path.lexists(path):
        return
    with storage_errors(f"read the changes of the run {run.name!r}"):
        lines = read_plain_file(path, _FILE_LIMIT).decode(errors="replace").splitlines()
    for line in lines:
        with suppress(ValueError, OverflowError, RecursionError):
            yield from _changes_in(iter([from_json(line)]))
