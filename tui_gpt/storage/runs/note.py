"""The note of a run: one line that its user wrote, in the file `note.json` of the run's folder.

It is not part of `run.json`, which only the process that trains the run may write: a note can be written at any time.
"""

import dataclasses
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.errors import TuiGptError, UsageError
from tui_gpt.escaping import escape_controls
from tui_gpt.records import read_record
from tui_gpt.storage.files import atomic_write, storage_errors
from tui_gpt.storage.plain_files import read_json_object

NOTE_FILE = "note.json"
MAX_NOTE_LENGTH = 200
"""Characters."""
_FILE_LIMIT = 1 << 13


@dataclass(frozen=True, kw_only=True)
class _NoteRecord:
    """The content of `note.json`."""

    note: str

    def __post_init__(self) -> None:
        one_line(self.note)


def one_line(text: str) -> str:
    """Return a note on one line, without spaces at its ends and with visible characters in place of control characters.

    The folder of a run may come from a stranger. Raises UsageError when the note is too long.
    """
    line = escape_controls(" ".join(text.split()))
    if len(line) > MAX_NOTE_LENGTH:
        raise UsageError(f"the note has {len(line)} characters: shorten it to {MAX_NOTE_LENGTH}")
    return line


def read_note(folder: Path) -> str:
    """Return the note in a run's folder; empty when there is none, or none that can be read."""
    try:
        return one_line(read_record(_NoteRecord, read_json_object(folder / NOTE_FILE, _FILE_LIMIT)).note)
    except (OSError, ValueError, TuiGptError):
        return ""


def write_note(folder: Path, text: str) -> str:
    """Write the note of a run, or remove it when `text` is empty, and return it. Raises UsageError, StorageError.

    The time of the folder is kept, because it is a run's age in the list, and a note does not make a run newer.
    """
    note = one_line(text)
    with storage_errors(f"write the note of the run {folder.name!r}"):
        times = folder.stat()
        if note:
            record = dataclasses.asdict(_NoteRecord(note=note))
            atomic_write(folder / NOTE_FILE, (json.dumps(record) + "\n").encode("ascii"))
        else:
            (folder / NOTE_FILE).unlink(missing_ok=True)
    with suppress(OSError):
        os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))
    return note
