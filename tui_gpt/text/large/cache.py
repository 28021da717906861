"""What was prepared of large texts: a folder each in the user's data, with its scan and its tokens.

Nothing in it is the only copy of anything: a text that has changed is prepared again, so is what was damaged or
removed, and the texts that were not used for the longest time are removed when all of them take more than CACHE_BYTES.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.control import Control
from tui_gpt.errors import StorageError
from tui_gpt.records import read_record
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write, storage_errors
from tui_gpt.storage.locks import FileLock, LockHeldError
from tui_gpt.storage.plain_files import is_folder, read_json_object
from tui_gpt.text.large.scan import Scan

CACHE_BYTES = 8 << 30
"""Bytes of all that is prepared; more only for a single text."""
FORMAT = 1
_SCAN_LIMIT = 64 << 20
_SCAN = "scan.json"
_LOCK = "lock"


@dataclass(frozen=True)
class _ScanRecord:
    """The file of a scan."""

    format: int
    place: str
    """Absolute path of the file or folder."""
    fingerprint: str
    scan: Scan


@dataclass(frozen=True)
class PreparedFolder:
    """The folder of one text."""

    path: Path

    @classmethod
    def of(cls, place: Path) -> PreparedFolder:
        """Return the folder of the text at `place`, an absolute path of a file or a folder; it may not exist."""
        key = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
        return cls(paths.prepared_dir() / key)

    def read_scan(self, fingerprint: str) -> Scan | None:
        """Return the scan of the text with this fingerprint, if there is one that can be read."""
        try:
            record = read_record(_ScanRecord, read_json_object(self.path / _SCAN, _SCAN_LIMIT))
        except (OSError, ValueError):
            return None
        is_same = (record.format, record.fingerprint) == (FORMAT, fingerprint)
        return record.scan if is_same else None

    def write_scan(self, place: Path, fingerprint: str, scan: Scan) -> None:
        """Keep a scan; without it the text is scanned again next time, so nothing is raised."""
        record = _ScanRecord(FORMAT, str(place), fingerprint, scan)
        with suppress(StorageError):
            atomic_write(self.path / _SCAN, json.dumps(dataclasses.asdict(record)).encode())

    @contextmanager
    def lock(self, control: Control) -> Iterator[None]:
        """Hold the folder's lock; wait until another process has released it. Raises StoppedError, StorageError."""
        lock = FileLock(self.path / _LOCK)
        with storage_errors(f"write into {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    lock.acquire()
                    break
                except LockHeldError:
                    control.report_or_stop("waiting for another process that prepares the text")
        try:
            yield
        finally:
            lock.release()

    def mark_used(self) -> None:
        """Have this text removed after those that were used before."""
        with suppress(OSError):
            os.utime(self.path)

    def remove_tokens_except(self, beginning: str) -> None:
        """Remove the tokens of the text as it was: all files but those whose names begin so."""
        for path in self.path.glob("tokens-*"):
            if not path.name.startswith(beginning):
                with suppress(OSError):
                    path.unlink()

    def remove(self) -> None:
        """Remove all that was prepared of the text, unless another process prepares it."""
        if not is_folder(self.path):
            return
        lock = FileLock(self.path / _LOCK)
        with suppress(OSError, LockHeldError):
            lock.acquire(patience=0.0)
            try:
                shutil.rmtree(self.path)
            finally:
                lock.release()

    def size(self) -> int:
        """Return the bytes of its files."""
        with suppress(OSError), os.scandir(self.path) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
        return 0

    def _used(self) -> float:
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0.0

    def make_room(self, needed: int) -> None:
        """Remove what was prepared of other texts until `needed` bytes more are within CACHE_BYTES."""
        with suppress(OSError):
            others = [PreparedFolder(path) for path in paths.prepared_dir().iterdir() if path != self.path]
            sizes = {folder: folder.size() for folder in sorted(others, key=PreparedFolder._used)}
            total = needed + sum(sizes.values())
            for folder, size in sizes.items():
                if total <= CACHE_BYTES:
                    break
                folder.remove()
                total -= size
