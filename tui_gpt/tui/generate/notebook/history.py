"""The notebook's file, `history.jsonl`, which brings the last cards back at the next launch."""

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
from tui_gpt.tui.generate.notebook.cards import Answer, Card
from tui_gpt.tui.generate.notebook.history_records import (
    CollectedCards,
    Layout,
    collect_cards,
    from_line,
    to_line,
)

HISTORY_CARDS = 50
"""Cards that are loaded at the next launch."""
TAIL_BYTES = 4_000_000
"""How much of the end of the file is read for them."""
COMPACT_BYTES = 16_000_000
"""The size from which the file is replaced by one with only those cards."""
_MAX_READ_BYTES = 256_000_000
"""How much of the end of the file is read for answers that are before its tail."""
_LINE_BYTES = 16_000_000
"""Longer lines are foreign."""
_WORTHWHILE = 0.75
"""The file is replaced only by one of at most this fraction of its size."""
_PATIENCE_SECONDS = 2.0
"""How long to wait for another app that is writing."""

_Parts = Mapping[str, Answer | Layout]
"""Answers and layouts by id."""


class History:
    """The saved cards. When the disk refuses a write, only the history is lost.

    Several apps may share the file: each appends whole lines, under a lock, and none rewrites what another has just
    appended. An answer is forced to the disk; a layout is not.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.history_file()
        self._written: dict[str, Answer | Layout] = {}
        self._file: tuple[int, int] | None = None
        """Device and inode of the file that holds `_written`; another app may have replaced it."""

    def load(self, limit: int = HISTORY_CARDS) -> list[Card]:
        """Return the last cards, oldest first. A file that has grown too large is replaced by one with only these."""
        if self._size() > COMPACT_BYTES:
            with suppress(OSError, StorageError, LockHeldError):
                self._compact(limit)
        self._written = {}
        cards = self._read(limit)
        for card in cards:
            self._written.update(self._unwritten(card))
        return cards

    def save(self, card: Card) -> bool:
        """Append what is new about a card; return whether that succeeded."""
        return not self._unwritten(card) or self._append(lambda: self._unwritten(card))

    def remove(self, card_id: str) -> bool:
        """Append that a card was removed; return whether that succeeded."""
        return self._append(lambda: {card_id: Layout(card_id, (), 0)})

    def _unwritten(self, card: Card) -> _Parts:
        """Return the answers of a card and its layout that are not in the file yet."""
        parts: dict[str, Answer | Layout] = {
            answer.id: answer for answer in card.answers if self._written.get(answer.id) is not answer
        }
        layout = Layout.of(card)
        return parts if self._written.get(card.id) == layout else parts | {card.id: layout}

    def _append(self, parts_to_write: Callable[[], _Parts]) -> bool:
        """Append what `parts_to_write` returns once the file is locked; return whether that succeeded.

        The lock is released before an answer is forced to the disk, so that other apps need not wait for that.
        """
        try:
            ensure_folder(self.path.parent)
            with ExitStack() as opened:
                with self._locked():
                    descriptor = opened.enter_context(open_to_append(self.path))
                    status = os.fstat(descriptor)
                    self._note_file(status)
                    parts = parts_to_write()
                    append_lines(descriptor, b"".join(map(to_line, parts.values())))
                if any(isinstance(part, Answer) for part in parts.values()):
                    os.fsync(descriptor)
                if not status.st_size:
                    sync_folder(self.path.parent)
        except (OSError, LockHeldError):
            return False
        self._written.update(parts)
        return True

    def _note_file(self, status: os.stat_result) -> None:
        """Forget what has been written if the file is not the one that it was written to."""
        if (status.st_dev, status.st_ino) != self._file:
            self._written = {}
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

    def _compact(self, limit: int) -> None:
        """Replace the file by one with only the last cards, if that makes it smaller.

        Raises OSError, StorageError, LockHeldError; the file is then unchanged.
        """
        with self._locked():
            collected = self._collect(_MAX_READ_BYTES, limit)
            if collected.lacks_answers:
                return
            content = b"".join(map(to_line, _parts_of(collected.cards)))
            if len(content) < _WORTHWHILE * self._size():
                atomic_write(self.path, content)

    def _read(self, limit: int) -> list[Card]:
        """Return the last cards from the end of the file, or from more of it if some of their answers are earlier."""
        collected = self._collect(TAIL_BYTES, limit)
        return (self._collect(_MAX_READ_BYTES, limit) if collected.lacks_answers else collected).cards

    def _collect(self, last_bytes: int, limit: int) -> CollectedCards:
        is_cut = self._size() > last_bytes
        return collect_cards(self._parts(last_bytes), limit, is_cut=is_cut)

    def _size(self) -> int:
        try:
            return self.path.lstat().st_size
        except OSError:
            return 0

    def _parts(self, last_bytes: int) -> Iterator[Answer | Layout]:
        """Yield what the last lines of the file hold."""
        with suppress(OSError), read_plain(self.path) as file:
            self._note_file(os.fstat(file.fileno()))
            file.seek(max(0, file.seek(0, os.SEEK_END) - last_bytes))
            for _, part in parsed_lines(whole_lines(file, _LINE_BYTES), from_line):
                yield part


def _parts_of(cards: Iterable[Card]) -> Iterator[Answer | Layout]:
    for card in cards:
        yield from card.answers
        yield Layout.of(card)
