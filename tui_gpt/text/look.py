"""A first look at what a path names while it is being typed: no file is read, a folder is listed within a budget."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.errors import CorpusError
from tui_gpt.formatting import format_bytes
from tui_gpt.text import reading
from tui_gpt.text.corpora import reading_errors, require_file
from tui_gpt.text.library import corpora_by_name

ENTRIES_LIMIT = 5_000
"""Entries of a folder and its subfolders that are counted at most."""
SECONDS_LIMIT = 0.5
"""Time after which counting stops."""


def look(spec: str, is_outdated: Callable[[], bool] = lambda: False) -> str:
    """Return in a few words what `spec` names, and what was not counted; "" as soon as `is_outdated` returns true.

    Raises CorpusError for what cannot be added: nothing, stdin, a pipe, a device, an unreadable or too large file.
    """
    require_file(spec)
    entry = corpora_by_name().get(spec)
    with reading_errors(spec):
        path = entry.path if entry else reading.path_of(spec)
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return _folder_words(path, is_outdated)
    if not os.access(path, os.R_OK):
        raise CorpusError(f"{spec!r} cannot be read: check its permissions")
    if status.st_size > reading.SIZE_LIMIT:
        raise reading.too_large(spec, reading.SIZE_LIMIT)
    return f"a file of {format_bytes(status.st_size)}"


@dataclass
class _Count:
    """What was found in a folder."""

    entries: int = 0
    files: int = 0
    size: int = 0
    """Bytes of the files."""

    def add(self, entry: os.DirEntry[str]) -> None:
        """Count an entry; as a file only a regular one that is not hidden."""
        self.entries += 1
        if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
            self.size += entry.stat(follow_symlinks=False).st_size
            self.files += 1


def _folder_words(folder: Path, is_outdated: Callable[[], bool]) -> str:
    count, unreadable_folders = _Count(), list[str]()
    end = time.monotonic() + SECONDS_LIMIT
    is_complete = True
    for entry in _entries_below(folder, unreadable_folders):
        if is_outdated():
            return ""
        if count.entries >= ENTRIES_LIMIT or time.monotonic() >= end:
            is_complete = False
            break
        count.add(entry)
    least = "" if is_complete else "at least "
    noun = "file" if count.files == 1 else "files"
    words = [f"a folder of {least}{count.files:,} {noun}, {format_bytes(count.size)}"]
    if not is_complete:
        words.append(f"counting stopped after {count.entries:,} entries")
    if unreadable_folders:
        words.append(f"not counted: what is in unreadable folders ({len(unreadable_folders):,})")
    return "\n".join([*words, "not counted: hidden and special files, symbolic links"])


def _entries_below(folder: Path, unreadable_folders: list[str]) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder and of its subfolders that are not hidden, and note the unreadable subfolders."""
    pending = [str(folder)]
    while pending:
        place = pending.pop()
        try:
            entries = os.scandir(place)
        except OSError:
            if place == str(folder):
                raise
            unreadable_folders.append(place)
            continue
        with entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                yield entry
