"""The event log of a run, `events.jsonl`: append, read, and cut back to a checkpoint.

The log can be read at any time, also while another process appends to it; a line that is torn or foreign is skipped.
Only the holder of the run's lock may write.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tui_gpt.events import Event, Finished, Saved, from_json, to_json
from tui_gpt.storage.files import atomic_write, storage_errors, sync_folder
from tui_gpt.storage.json_lines import append_lines, open_to_append, parsed_lines, whole_lines
from tui_gpt.storage.plain_files import read_plain

LOG_FILE = "events.jsonl"
LOG_LIMIT = 1 << 30
"""Bytes; a million events need 200 MB."""
LINE_LIMIT = 1 << 20
"""Bytes; longer lines are foreign."""
_TAIL_BYTES = 1 << 16
_NOT_AT_ENDS = re.compile(rb'.{0,30}"(?:progress|sampled|saved)"')


class RunLog:
    """The events of one run, in the folder `folder`. Creating the object does not touch the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / LOG_FILE

    def append(self, event: Event) -> None:
        """Append an event; force the log to the disk after a save or the end. Raises StorageError."""
        line = to_json(event).encode("utf-8", "replace") + b"\n"
        with self._open_to_append() as descriptor:
            append_lines(descriptor, line)
            if isinstance(event, Saved | Finished):
                os.fsync(descriptor)

    def sync(self) -> None:
        """Force the log to the disk, so that it is never behind a checkpoint. Raises StorageError."""
        with self._open_to_append() as descriptor:
            os.fsync(descriptor)

    @contextmanager
    def _open_to_append(self) -> Iterator[int]:
        with storage_errors(f"write the log of the run {self._folder.name!r}"), open_to_append(self.path) as descriptor:
            if os.fstat(descriptor).st_size == 0:
                sync_folder(self._folder)  # the name of a new log must be on the disk before a checkpoint's
            yield descriptor

    def events(self) -> Iterator[Event]:
        """Yield the events, reading the log as it is consumed; a log that cannot be read is empty."""
        with suppress(OSError):
            for _, event in self._lines():
                yield event

    def _lines(self) -> Iterator[tuple[bytes, Event]]:
        """Yield the lines that hold events, with their events. Raises OSError when the log cannot be read."""
        if not os.path.lexists(self.path):
            return
        with read_plain(self.path, LOG_LIMIT) as log:
            yield from parsed_lines(whole_lines(log, LINE_LIMIT), from_json)

    def ends(self) -> Iterator[Event]:
        """Yield the first event and those in the last bytes, without the progress, samples and saves among these.

        The last two events are yielded in any case, so they show how far the run got, however long the log is.
        """
        try:
            with read_plain(self.path, LOG_LIMIT) as log:
                lines = [log.readline(_TAIL_BYTES)]
                tail = max(log.tell(), log.seek(0, os.SEEK_END) - _TAIL_BYTES)
                log.seek(tail)
                lines += log.read(_TAIL_BYTES).splitlines()
        except OSError:
            return
        chosen = [line for line in lines[:-2] if not _NOT_AT_ENDS.match(line)] + lines[-2:]
        for _, event in parsed_lines(chosen, from_json):
            yield event

    def truncate(self, step: int, drop: Callable[[Event], bool] = lambda _: False) -> None:
        """Remove the events after `step`, those that end the run, and those for which `drop` returns true.

        `drop` is called with every event, in order. Raises StorageError; a log that cannot be read is left as it is.
        """
        with storage_errors(f"read the log of the run {self._folder.name!r}"):
            kept = [
                line.rstrip(b"\n") + b"\n"
                for line, event in self._lines()
                if not drop(event) and event.step <= step and not isinstance(event, Finished)
            ]
        atomic_write(self.path, b"".join(kept))
