"""The notebook's file, `history.jsonl`: every part of the notebook is appended when it comes into being.

So the notebook is on the disk before the user sees a change, and a process that is killed loses nothing but text
that was being generated. The file is read from its beginning, and replaced by a shorter one when much is outdated.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tui_gpt.errors import StorageError
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write, ensure_folder, sync_folder
from tui_gpt.storage.json_lines import append_lines, open_to_append, parsed_lines, whole_lines
from tui_gpt.storage.locks import FileLock, LockHeldError
from tui_gpt.storage.plain_files import read_plain
from tui_gpt.tui.generate.notebook.answers import Answer
from tui_gpt.tui.generate.notebook.cards import Card
from tui_gpt.tui.generate.notebook.history_records import from_line, to_line
from tui_gpt.tui.generate.notebook.layouts import Layout, Shown, Step
from tui_gpt.tui.generate.notebook.notebook import Notebook, Part
from tui_gpt.tui.threads import gc_paused

COMPACT_BYTES = 16_000_000
"""The size from which the file is replaced by one without outdated lines."""
MAX_READ_BYTES = 1_000_000_000
"""How much of the end of the file is read."""
NEWEST_BYTES = 500_000
"""How much of it is read for a first look."""
_LINE_BYTES = 16_000_000
"""Longer lines are foreign."""
_WORTHWHILE = 0.75
"""The file is replaced only by one of at most this fraction of its size."""
_LAYOUT_BYTES = 200
"""About the length of the line of a card."""
_PATIENCE_SECONDS = 2.0
"""How long to wait for another app that is writing."""


class History:
    """The saved notebook. When the disk refuses a write, only the history is lost.

    Several apps may share the file: each appends whole lines, under a lock, and none rewrites what another has just
    appended. Everything but `Shown` is forced to the disk.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.history_file()
        self._written: dict[str, Answer] = {}
        """The answers in the file, by id."""
        self._layouts: dict[str, Layout] = {}
        """The layouts written by `save`."""
        self._lengths: dict[str, int] = {}
        """The lengths of the last lines of answers and of the lines of steps, by id."""
        self._file: tuple[int, int] | None = None
        """Device and inode of the file that holds `_written`; another app may have replaced it."""

    # Reading

    def read(self) -> Notebook:
        """Return the notebook. A file that has grown large is replaced if much of it is outdated."""
        notebook = self._collect()
        if self._is_worthwhile(notebook):
            with suppress(OSError, StorageError, LockHeldError):
                return self._compact()
        return notebook

    def _is_worthwhile(self, notebook: Notebook) -> bool:
        """Return whether the file is large and much of it is outdated, estimated by the lengths of its lines."""
        size = self._size()
        if not COMPACT_BYTES < size <= MAX_READ_BYTES:
            return False
        used = sum(self._lengths.get(name, 0) for name in notebook.used_ids()) + _LAYOUT_BYTES * len(notebook.layouts)
        return used < _WORTHWHILE * size

    def read_newest(self) -> Notebook:
        """Return the cards and steps at the end of the file, for a first look; without cards that are cut off there."""
        notebook = Notebook()
        for _, part in self._parts(NEWEST_BYTES):
            notebook.take(part)
        notebook.drop_incomplete()
        return notebook

    def load(self) -> list[Card]:
        """Return the cards, oldest first."""
        return list(self.read().cards)

    def _collect(self) -> Notebook:
        """Read the file."""
        notebook, lengths = Notebook(), dict[str, int]()
        with gc_paused():
            for line, part in self._parts(MAX_READ_BYTES):
                notebook.take(part)
                if isinstance(part, Answer):
                    lengths[part.id] = len(line)
                elif isinstance(part, Step):
                    lengths[part.id] = lengths.get(part.id, 0) + len(line)
        self._written, self._lengths, self._layouts = dict(notebook.answers), lengths, {}
        return notebook

    def _compact(self) -> Notebook:
        """Read the file, and replace it if that makes it smaller.

        Raises OSError, StorageError, LockHeldError; the file is then unchanged.
        """
        with self._locked():
            notebook = self._collect()
            content = b"".join(map(to_line, notebook.parts()))
            if len(content) < _WORTHWHILE * self._size():
                atomic_write(self.path, content)
                self._note_file(self.path.lstat())
                self._written = dict(notebook.answers)
        return notebook

    def _size(self) -> int:
        try:
            return self.path.lstat().st_size
        except OSError:
            return 0

    def _parts(self, last_bytes: int) -> Iterator[tuple[bytes, Part]]:
        """Yield the last lines of the file with what they hold."""
        with suppress(OSError), read_plain(self.path) as file:
            self._note_file(os.fstat(file.fileno()))
            file.seek(max(0, file.seek(0, os.SEEK_END) - last_bytes))
            yield from parsed_lines(whole_lines(file, _LINE_BYTES), from_line)

    # Writing

    def save(self, card: Card) -> bool:
        """Append what is new about a card; return whether that succeeded."""
        layout = Layout.of(card)
        if self._layouts.get(card.id) == layout and all(self._written.get(one.id) is one for one in card.nodes):
            return True
        is_saved = self.append([layout], {answer.id: answer for answer in card.nodes})
        if is_saved:
            self._layouts[card.id] = layout
        return is_saved

    def remove(self, card_id: str) -> bool:
        """Append that a card was removed; return whether that succeeded."""
        self._layouts.pop(card_id, None)
        return self.append([Layout(card_id)], {})

    def append(self, parts: Iterable[Part], answers: Mapping[str, Answer]) -> bool:
        """Append parts, after those of `answers` that they need and the file lacks; return whether that succeeded."""
        listed = list(parts)
        return self._append(lambda: [*self._lacking(listed, answers), *listed])

    def _lacking(self, parts: Iterable[Part], answers: Mapping[str, Answer]) -> Iterator[Answer]:
        names = dict.fromkeys(name for part in parts for name in _names(part))
        for name in names:
            answer = answers.get(name)
            if answer is not None and self._written.get(name) is not answer:
                yield answer

    def _append(self, parts_to_write: Callable[[], list[Part]]) -> bool:
        """Append what `parts_to_write` returns once the file is locked; return whether that succeeded.

        The lock is released before the parts are forced to the disk, so that other apps need not wait for that.
        """
        try:
            ensure_folder(self.path.parent)
            with ExitStack() as opened:
                with self._locked():
                    descriptor = opened.enter_context(open_to_append(self.path))
                    status = os.fstat(descriptor)
                    self._note_file(status)
                    parts = parts_to_write()
                    append_lines(descriptor, b"".join(map(to_line, parts)))
                if not all(isinstance(part, Shown) for part in parts):
                    os.fsync(descriptor)
                if not status.st_size:
                    sync_folder(self.path.parent)
        except (OSError, LockHeldError):
            return False
        self._written.update((part.id, part) for part in parts if isinstance(part, Answer))
        return True

    def _note_file(self, status: os.stat_result) -> None:
        """Forget what has been written if the file is not the one that it was written to."""
        if (status.st_dev, status.st_ino) != self._file:
            self._written, self._layouts = {}, {}
        self._file = status.st_dev, status.st_ino

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other apps from writing the file. Raises LockHeldError, OSError."""
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        lock.acquire(_PATIENCE_SECONDS)
        try:
            yield
        finally:
            lock.release()


def _names(part: Part) -> Iterable[str]:
    """Return the ids of the answers that a part refers to."""
    match part:
        case Layout():
            return part.nodes
        case Step():
            return part.names()
        case _:
            return ()
