"""A lock on a file that the system itself takes back when its holder dies.

So there is never a stale lock to find out about: what counts is the lock, and the process number written into the file
is only there to be named to people. Two holders in one process exclude each other as well. The file may lie in a
stranger's folder: nothing is written before it is known to be a regular file of that folder, and its own holder's.

The library `filelock` is not used: it names no holder of a native lock, takes a pipe for a lock file, and where a file
system has no `flock` it accepts ENOSYS alone.
"""

import errno
import os
import platform
import sys
import time
from pathlib import Path

from tui_gpt.escaping import escape_controls
from tui_gpt.storage.files import open_plain, read_plain_file

_PATIENCE_SECONDS = 0.2
"""Someone who only looks whether a lock is held holds it for a moment."""
_PAUSE_SECONDS = 0.01
_SIZE_LIMIT = 1 << 12
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What a file system says that has no locks, such as some network and FUSE ones."""


class LockHeldError(Exception):
    """Another holder has the lock; the message says which, e.g. `process 1234 on laptop`."""


class FileLock:
    """An exclusive lock named by a file, held between `acquire` and `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_exclusive = True
        """False while it is held on a file system that has no locks, which excludes nobody."""
        self._descriptor: int | None = None

    def acquire(self, patience: float = _PATIENCE_SECONDS) -> None:
        """Take the lock, within `patience` seconds. Raises LockHeldError, or OSError where the file cannot be used."""
        descriptor = open_plain(self.path, os.O_RDWR | os.O_CREAT)
        try:
            self.is_exclusive = self._lock(descriptor, patience)
            if not os.path.samestat(os.fstat(descriptor), self.path.lstat()):
                raise FileNotFoundError(errno.ENOENT, "it was removed meanwhile", str(self.path))
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {platform.node()}\n".encode())
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _lock(self, descriptor: int, patience: float) -> bool:
        """Lock the file; False where the file system has no locks. Raises LockHeldError."""
        deadline = time.monotonic() + patience
        try:
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise LockHeldError(_holder_named_in(self.path))
                time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            return False
        return True

    def release(self) -> None:
        """Give the lock back; without effect when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_holder(path: Path) -> str | None:
    """Return the holder of a lock, e.g. `process 1234 on laptop`; None when it is free, or no lock at all."""
    try:
        descriptor = open_plain(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _try_lock(descriptor, shared=True) else _holder_named_in(path)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _holder_named_in(path: Path) -> str:
    try:
        process, host = read_plain_file(path, _SIZE_LIMIT)[:200].decode(errors="replace").split()[:2]
        return f"process {int(process)}" + ("" if host == platform.node() else f" on {escape_controls(host)}")
    except (OSError, ValueError):
        return "another process"


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 20

    def _try_lock(descriptor: int, *, shared: bool = False) -> bool:  # noqa: ARG001  (Windows knows no shared lock)
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
