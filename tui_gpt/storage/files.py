"""Write files atomically and durably, and explain what the disk refuses.

No file is overwritten in place: the new content is written beside the old, forced to the disk, and renamed, so that
after a crash of the process or a power loss either the old or the new content is there, whole. Nothing is locked here:
several writers of one file need a lock (see `locks`).
"""

import errno
import hashlib
import math
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tui_gpt.errors import StorageError
from tui_gpt.storage.plain_files import UnusableFileError, open_plain

CHUNK = 1 << 20
"""Bytes written at a time."""
SPACE_RESERVE = 8 << 20
"""Bytes that must stay free after a save."""

_ELSEWHERE = "or set TUI_GPT_HOME to a folder elsewhere"
_REASONS = {
    errno.ENOSPC: f"the disk is full: free some space, {_ELSEWHERE}",
    errno.EROFS: f"the disk is read-only: make it writable, {_ELSEWHERE}",
    errno.EACCES: f"permission denied: change the permissions of that folder, {_ELSEWHERE}",
    errno.EPERM: f"not permitted: change the permissions of that folder, {_ELSEWHERE}",
    errno.EFBIG: "the file would be larger than allowed: raise the limit (`ulimit -f`)",
    errno.ENOTDIR: "a file is where a folder is needed: move it away",
    errno.EISDIR: "a folder is where a file is needed: move it away",
    errno.ENOENT: "no such file or folder: check the path",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
}
if hasattr(errno, "EDQUOT"):
    _REASONS[errno.EDQUOT] = f"your disk quota is used up: free some space, {_ELSEWHERE}"


@contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """Raise the block's OSErrors as StorageErrors: `could not <action>: <reason>: <remedy>`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"could not {action}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if isinstance(error, UnusableFileError):
        return f"{error.filename}: {error.strerror}: move it away"
    known = _REASONS.get(error.errno or 0)
    return known or f"{error.strerror or error}: check the disk, then try again"


def ensure_free_space(path: Path, bytes_needed: int) -> None:
    """Raise StorageError unless the disk of `path`, which may not exist yet, has `bytes_needed` and a reserve free."""
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    with storage_errors(f"read the free space of {place}"):
        free = shutil.disk_usage(place).free
    if free < bytes_needed + SPACE_RESERVE:
        raise StorageError(
            f"the disk of {place} has {_megabytes(free)} MB free and {_megabytes(bytes_needed + SPACE_RESERVE)} MB are "
            f"needed: free some space, {_ELSEWHERE}"
        )


def _megabytes(count: int) -> str:
    return f"{math.ceil(count / 1e6):,}"


def write_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Write a new file, force it to the disk, and return its size and SHA-256 in hexadecimal. Raises OSError.

    Large pieces are written in chunks and not copied, so that other threads keep running.
    """
    digest = hashlib.sha256()
    size = 0
    descriptor = open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        for piece in _chunks(pieces):
            size += len(piece)
            digest.update(piece)
            write_all(descriptor, piece)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return size, digest.hexdigest()


def _chunks(pieces: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    for piece in pieces:
        for start in range(0, len(piece), CHUNK):
            yield memoryview(piece)[start : start + CHUNK]


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data`, in several calls where the system accepts only part of it. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk, where the system supports it. Raises OSError."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_folder(folder: Path) -> None:
    """Create a folder and its missing parents, and force their names to the disk. Raises OSError."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        ensure_folder(folder.parent)
        folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def atomic_write(path: Path, data: bytes) -> None:
    """Replace a file atomically, creating its folder if needed. Raises StorageError; the old content is then kept."""
    atomic_write_pieces(path, [data])


def atomic_write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Replace a file atomically by the joined pieces, see `atomic_write`."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with storage_errors(f"write {path}"):
        try:
            ensure_folder(path.parent)
            write_synced(draft, pieces)
            draft.replace(path)
            sync_folder(path.parent)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
