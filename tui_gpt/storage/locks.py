"""Advisory file locks that name their holder and are released by the system when the holder exits.

A lock is therefore never stale, and the process number in the file only serves messages. `filelock.lock_descriptor`
does the locking. The library's `FileLock` class is not used: it opens a pipe as a lock file, records no holder of a
native lock, and raises on file systems that answer ENOLCK or EOPNOTSUPP. So the file is opened here, as a regular file
of its folder, which may come from a stranger, and nothing is written before it is locked.

A holder may also `touch` its lock every few seconds. Then others can see that it is suspended or frozen, and on a file
system without locks that there is a holder at all.
"""

import errno
import os
import platform
import time
from contextlib import suppress
from pathlib import Path

from tui_gpt.escaping import escape_controls
from tui_gpt.storage.plain_files import open_plain, read_plain

_PATIENCE_SECONDS = 0.2
_PROBE_SECONDS = 0.02
"""`lock_holder` takes a free lock for a moment: two calls at once must not take each other for a holder."""
_PAUSE_SECONDS = 0.01
SILENT_SECONDS = 10.0
"""A holder that touches its lock, and has not for this long, is suspended, frozen or gone."""
_NAME_LIMIT = 200
"""Bytes of the holder's name."""
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""The errors of file systems without locks, such as some network and FUSE ones."""


class LockHeldError(Exception):
    """Another holder has the lock; the message names it, e.g. `process 1234 on laptop`."""


class FileLock:
    """An exclusive lock named by a file, held between `acquire` and `release`, also against this process itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_exclusive = True
        """False while the lock is held on a file system without locks, where it has no effect."""
        self._descriptor: int | None = None

    def acquire(self, patience: float = _PATIENCE_SECONDS) -> None:
        """Take the lock within `patience` seconds. Raises LockHeldError, or OSError when the file cannot be used."""
        descriptor = open_plain(self.path, os.O_RDWR | os.O_CREAT)
        try:
            self.is_exclusive = self._lock(descriptor, patience)
            if not os.path.samestat(os.fstat(descriptor), self.path.lstat()):
                raise FileNotFoundError(errno.ENOENT, "the lock file was removed or replaced", str(self.path))
            os.ftruncate(descriptor, 0)
            # Windows locks the first byte, and other processes cannot read it.
            os.write(descriptor, f" {os.getpid()} {platform.node()}\n".encode())
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _lock(self, descriptor: int, patience: float) -> bool:
        """Lock the file; return False on a file system without locks. Raises LockHeldError, OSError."""
        try:
            if not _lock_within(descriptor, patience):
                raise LockHeldError(_holder_named_in(self.path))
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            return False
        return True

    def touch(self) -> None:
        """Set the time of the lock's file to now, as a sign of life; does nothing where the system cannot."""
        self._set_time(None)

    def _set_time(self, times: tuple[float, float] | None) -> None:
        if self._descriptor is not None and os.utime in os.supports_fd:
            with suppress(OSError):
                os.utime(self._descriptor, times)

    def hand_over(self) -> "FileLock":
        """Return another object that holds the lock from here on; `release` of this one does nothing."""
        other = FileLock(self.path)
        other.is_exclusive = self.is_exclusive
        other._descriptor, self._descriptor = self._descriptor, None
        return other

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            if not self.is_exclusive:
                self._set_time((0.0, 0.0))
            os.close(self._descriptor)
            self._descriptor = None


def silent_seconds(path: Path) -> float:
    """Return for how long the holder of a lock has not touched it; 0 when that cannot be read."""
    try:
        return max(0.0, time.time() - path.lstat().st_mtime)
    except OSError:
        return 0.0


def lock_holder(path: Path, patience: float = _PROBE_SECONDS) -> str | None:
    """Return the holder of a lock, e.g. `process 1234 on laptop`; None when it is free or cannot be read.

    With a `patience` of 0 another call at the same moment may be taken for a holder. On a file system without locks,
    the holder is the process that has touched the file a moment ago.
    """
    try:
        descriptor = _open_to_probe(path)
    except OSError:
        return None
    try:
        return None if _lock_within(descriptor, patience) else _holder_named_in(path)
    except OSError as error:
        is_touched = error.errno in _UNSUPPORTED and silent_seconds(path) < SILENT_SECONDS
        return _holder_named_in(path) if is_touched else None
    finally:
        os.close(descriptor)


def _open_to_probe(path: Path) -> int:
    """Open a lock file for writing, as NFS demands of who locks it, or for reading when it belongs to another user."""
    try:
        return open_plain(path, os.O_RDWR)
    except PermissionError:
        return open_plain(path, os.O_RDONLY)


def _lock_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def _try_lock(descriptor: int) -> bool:
    from filelock import lock_descriptor  # 20 to 50 ms, which most commands need not spend

    return lock_descriptor(descriptor, blocking=False)


def _holder_named_in(path: Path) -> str:
    try:
        with read_plain(path) as file:
            file.seek(1)
            process, host = file.read(_NAME_LIMIT).decode(errors="replace").split()[:2]
        return f"process {int(process)}" + ("" if host == platform.node() else f" on {escape_controls(host)}")
    except (OSError, ValueError):
        return "another process"
