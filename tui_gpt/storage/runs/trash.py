"""Deleted runs that can be restored: the newest few, until the process that deleted them ends.

A deleted run is a hidden folder beside the others, which any later deletion by any process removes for good. While it
can be restored, its lock is held here, so that the other processes leave it alone; the system releases the lock of a
process that dies. On a file system without locks, and for a link to a run elsewhere, another process may come first.
"""

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.errors import NotFoundError, UsageError
from tui_gpt.storage.files import storage_errors, sync_folder
from tui_gpt.storage.locks import FileLock, LockHeldError
from tui_gpt.storage.runs.run import LOCK_FILE, Run
from tui_gpt.storage.runs.store import RENAMES_OPEN_FOLDERS, RunStore

KEPT_RUNS = 5


@dataclass(frozen=True)
class _Deleted:
    """A deleted run that can be restored."""

    name: str
    place: Path
    lock: FileLock | None


class Trash:
    """The runs that were deleted through this object, of which the newest `limit` can be restored."""

    def __init__(self, store: RunStore, limit: int = KEPT_RUNS) -> None:
        self._store = store
        self._limit = limit
        self._kept: list[_Deleted] = []
        """The newest last."""
        self._busy = threading.Lock()

    @property
    def newest(self) -> str | None:
        """The name of the run that `restore` restores."""
        return self._kept[-1].name if self._kept else None

    def delete(self, name: str) -> None:
        """Delete a run so that it can be restored, and remove the oldest deleted one for good if there are too many.

        Raises NotFoundError, RunLockedError while it is running, StorageError.
        """
        with self._busy:
            place, lock = self._store.discard(name)
            self._kept.append(_Deleted(name, place, lock or _kept_lock(place)))
            while len(self._kept) > self._limit:
                _release(self._kept.pop(0))
            self._store.purge(keep=[deleted.place for deleted in self._kept])

    def restore(self) -> Run:
        """Restore the run that was deleted last.

        Raises NotFoundError when there is none, UsageError when its name is taken by now, StorageError.
        A run that could not be moved back can still be restored.
        """
        with self._busy:
            if not self._kept:
                raise NotFoundError("no deleted run can be restored: delete one first")
            deleted = self._kept[-1]
            target = self._store.root / deleted.name
            if os.path.lexists(target):
                raise UsageError(f"there is a run {deleted.name!r} again: rename it, then restore the deleted one")
            if not os.path.lexists(deleted.place):
                _release(self._kept.pop())
                raise NotFoundError(
                    f"the run {deleted.name!r} was removed for good by another process: train a new one"
                )
            with storage_errors(f"restore the run {deleted.name!r}"):
                _move_back(deleted, target)
                _release(self._kept.pop())
                sync_folder(self._store.root)
            return Run(target)

    def empty(self) -> None:
        """Remove the deleted runs for good."""
        with self._busy:
            if not self._kept:
                return
            while self._kept:
                _release(self._kept.pop())
            self._store.purge()


def _move_back(deleted: _Deleted, target: Path) -> None:
    """Rename a deleted run to `target`; its lock is held where the system can rename the folder of an open file."""
    if not RENAMES_OPEN_FOLDERS:
        _release(deleted)
    try:
        deleted.place.rename(target)
    except OSError:
        if not RENAMES_OPEN_FOLDERS and deleted.lock is not None:
            _hold(deleted.lock)
        raise


def _kept_lock(place: Path) -> FileLock | None:
    """Return the lock of a deleted run, held if that is possible; None for a link."""
    if place.is_symlink():
        return None
    lock = FileLock(place / LOCK_FILE)
    _hold(lock)
    return lock


def _hold(lock: FileLock) -> None:
    with suppress(OSError, LockHeldError):
        lock.acquire()


def _release(deleted: _Deleted) -> None:
    if deleted.lock is not None:
        deleted.lock.release()
