"""The list of all runs, read again and again: only what has changed since the last time is read."""

import os
import threading
import time
from pathlib import Path

from tui_gpt.storage.runs.log import LOG_FILE
from tui_gpt.storage.runs.note import NOTE_FILE
from tui_gpt.storage.runs.run import RUN_FILE, Run
from tui_gpt.storage.runs.store import RunStore, newest_first
from tui_gpt.storage.runs.summary import RunSummary

_Stamp = tuple[object, ...]
_FILES = ("", RUN_FILE, LOG_FILE, NOTE_FILE)
"""What changes with a run; a checkpoint is committed by renaming folders, which changes the run's folder."""


class RunList:
    """The runs of a store. Objects may be shared by threads."""

    def __init__(self, store: RunStore, rest: float = 0.0) -> None:
        """`rest` is the time in seconds to wait after each run that was read, for the other threads of the process."""
        self._store = store
        self._rest = rest
        self._known: dict[str, tuple[_Stamp, RunSummary]] = {}
        self._busy = threading.Lock()

    def read(self) -> list[RunSummary]:
        """Return a summary of every run, also of damaged ones, newest first."""
        with self._busy:
            self._known = {run.name: self._current(run) for run in self._store.runs()}
            return newest_first(summary for _, summary in self._known.values())

    def _current(self, run: Run) -> tuple[_Stamp, RunSummary]:
        """Return the stamp and the summary of a run; a run that is being written is always read."""
        stamp = _stamp(run.path)
        known = self._known.get(run.name)
        if known is not None and known[0] == stamp and not known[1].writer and not run.is_written():
            return known
        summary = run.summary()
        if self._rest:
            time.sleep(self._rest)
        return stamp, summary


def _stamp(folder: Path) -> _Stamp:
    """Return what differs once a file of a run has been written."""
    return tuple(_file_stamp(folder / name) for name in _FILES)


def _file_stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
