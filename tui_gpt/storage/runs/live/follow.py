"""Read the log of a run while another process appends to it.

The log is opened for each look, because Windows does not replace a file that another process has open. Only whole lines
are read. A run that is resumed from an earlier step replaces its log by the lines that are still true, and appends to
those: the lines that were read before are then skipped. What such a run appends begins with a `Started` event. So if
the first new line is another one, a `Started` was skipped because it equals an earlier one, as it does when a run
begins again from scratch, and the log is read again from there.
"""

import os
from array import array
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from tui_gpt.events import Event, from_json
from tui_gpt.storage.json_lines import parsed_lines
from tui_gpt.storage.plain_files import read_plain
from tui_gpt.storage.runs.log import LINE_LIMIT, LOG_LIMIT, RunLog

_CHUNK = 1 << 18


class LogFollower:
    """Yields the events of a log that grows, each once."""

    def __init__(self, log: RunLog) -> None:
        self._path = log.path
        self._file = (0, 0)
        """Device and number of the file that was read last."""
        self._offset = 0
        self._torn = b""
        """The beginning of a line whose end is not written yet."""
        self._is_too_long = False
        """Whether that line has more bytes than an event can have."""
        self._lines = array("q")
        """The hashes of the lines of the current log."""
        self._earlier = array("q")
        """Those of the log before it was replaced, until a line is not among them."""
        self._last_start = -1
        """The number of the last line that was skipped and holds a `Started` event."""
        self._first_wanted = 0
        """The number of the first line of the log that is not skipped in any case."""
        self._place = 0
        """The first of the earlier lines that may come next in the new log."""

    def read(self) -> Iterator[Event]:
        """Yield the events that were written since the last call; none while the log cannot be read."""
        with suppress(OSError):
            if self._has_changed():
                with read_plain(self._path, LOG_LIMIT) as log:
                    for _, event in parsed_lines(self._new_lines(log), from_json):
                        yield event

    def _has_changed(self) -> bool:
        status = self._path.lstat()
        return (status.st_dev, status.st_ino) != self._file or status.st_size != self._offset

    def _new_lines(self, log: BinaryIO) -> Iterator[bytes]:
        status = os.fstat(log.fileno())
        if (status.st_dev, status.st_ino) != self._file or status.st_size < self._offset:
            self._restart((status.st_dev, status.st_ino))
        log.seek(self._offset)
        while chunk := log.read(_CHUNK):
            self._offset += len(chunk)
            for line in self._whole_lines(chunk):
                if self._is_new(line):
                    if self._has_skipped_start(line):
                        break
                    self._earlier = array("q")
                    yield line
            log.seek(self._offset)

    def _has_skipped_start(self, line: bytes) -> bool:
        """Return whether a new line follows a start that was skipped; the log is then read again from there."""
        if not self._earlier or _is_start(line) or self._last_start < 0:
            return False
        self._first_wanted = self._last_start
        self._restart(self._file)
        self._earlier = array("q")
        return True

    def _restart(self, file: tuple[int, int]) -> None:
        if file != self._file:
            self._first_wanted = 0
        self._file, self._offset, self._torn, self._is_too_long = file, 0, b"", False
        self._earlier, self._lines, self._place, self._last_start = self._lines, array("q"), 0, -1

    def _whole_lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in a chunk; keep the rest for the next one."""
        *lines, self._torn = (self._torn + chunk).split(b"\n")
        if lines and self._is_too_long:
            del lines[0]
            self._is_too_long = False
        if len(self._torn) > LINE_LIMIT:
            self._torn, self._is_too_long = b"", True
        return lines

    def _is_new(self, line: bytes) -> bool:
        """Return whether a line was not in the log before that was replaced."""
        self._lines.append(hash(line))
        number = len(self._lines) - 1
        if number < self._first_wanted:
            return False
        if not self._earlier:
            return True
        try:
            self._place = self._earlier.index(hash(line), self._place) + 1
        except ValueError:
            return True
        if _is_start(line):
            self._last_start = number
        return False


def _is_start(line: bytes) -> bool:
    return line.startswith(b'{"type": "started"')
