"""A lock on a file that the system itself takes back when its holder dies.

So there is never a stale lock to find out about: what counts is the lock, and the process number written into the file
is only there to be named to people. Two holders in one process exclude each other as well. It does not wait.
"""

import os
import platform
import sys
import time
from pathlib import Path

_PATIENCE_SECONDS = 0.2
"""Someone who only looks whether a lock is held holds it for a moment."""
_PAUSE_SECONDS = 0.01


class LockHeldError(Exception):
    """Another holder has the lock; the message says who, e.g. `process 1234 on laptop`."""


class FileLock:
    """An exclusive lock named by a file, held between `acquire` and `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises LockHeldError, or OSError where the file cannot be made or locked."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._lock(descriptor)
            if not os.path.samestat(os.fstat(descriptor), self.path.stat()):
                raise FileNotFoundError(f"{self.path} was removed")
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {platform.node()}\n".encode())
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise LockHeldError(_holder_named_in(self.path))
            time.sleep(_PAUSE_SECONDS)

    def release(self) -> None:
        """Give the lock back; without effect when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_holder(path: Path) -> str | None:
    """Who holds the lock, e.g. `process 1234 on laptop`; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
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
        process, host = path.read_bytes()[:200].decode(errors="replace").split(maxsplit=1)
        return f"process {int(process)}" + ("" if host.strip() == platform.node() else f" on {host.strip()}")
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
