"""Files and folders that are whole or not there, whatever happens to the process, the machine or the disk.

Nothing is ever overwritten in place: new content is written beside the old, forced to the disk, and renamed. A rename
cannot replace a folder that holds something, so `commit_folder` goes through names that `candidates` lists newest
first; between any two of its steps the first whole candidate is the new folder or the previous one. It deliberately
does not lock: whoever writes a place makes sure to be the only one (see `locks`).
"""

import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from tui_gpt.errors import StorageError

CHUNK = 1 << 20
"""Bytes written at a time."""
SPACE_RESERVE = 8 << 20
"""Bytes that a disk should still have after a save."""

_DRAFT_NAME = re.compile(r"\.draft-.+-[0-9a-f]{8}")
_DRAFT_SECONDS = 3_600.0
"""A draft that was not written to for so long is of a dead process."""

_ELSEWHERE = "or set TUI_GPT_HOME to a folder elsewhere"
_REASONS = {
    errno.ENOSPC: f"the disk is full: free some space, {_ELSEWHERE}",
    errno.EROFS: f"the disk is read-only: make it writable, {_ELSEWHERE}",
    errno.EACCES: f"permission denied: change the permissions of that folder, {_ELSEWHERE}",
    errno.EPERM: f"not permitted: change the permissions of that folder, {_ELSEWHERE}",
    errno.EFBIG: "the file would be larger than allowed: raise the limit (`ulimit -f`)",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EISDIR: "a folder stands where a file is needed: move it away",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
}
if hasattr(errno, "EDQUOT"):
    _REASONS[errno.EDQUOT] = f"your disk quota is used up: free some space, {_ELSEWHERE}"


@contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """Turn an OSError of the block into a StorageError: `could not <action>: <why>: <remedy>`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"could not {action}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if isinstance(error, UnusableFileError):
        return f"{error.filename}: {error.strerror}: move it away"
    known = _REASONS.get(error.errno or 0)
    return known or f"{error.strerror or error}: look at the disk, then try again"


def ensure_free_space(path: Path, bytes_needed: int) -> None:
    """Raise StorageError unless the disk that holds `path` (or will) has room for that many bytes and a reserve."""
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    with storage_errors(f"look at the free space of {place}"):
        free = shutil.disk_usage(place).free
    if free < bytes_needed + SPACE_RESERVE:
        raise StorageError(
            f"the disk of {place} has {_megabytes(free)} MB free and {_megabytes(bytes_needed + SPACE_RESERVE)} MB are "
            f"needed: free some space, {_ELSEWHERE}"
        )


def _megabytes(count: int) -> str:
    return f"{math.ceil(count / 1e6):,}"


def write_synced(path: Path, pieces: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Write a new file and force it to the disk; its size and its SHA-256 in hexadecimal. Raises OSError.

    Large pieces are neither copied nor written at once, so other threads can go on meanwhile.
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
    """Write all of `data`, also where the system takes it in parts. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to the disk, where the system can. Raises OSError."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_folder(folder: Path) -> None:
    """Make a folder and its parents where they are missing, and force their names to the disk. Raises OSError."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        ensure_folder(folder.parent)
        folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def atomic_write(path: Path, data: bytes) -> None:
    """Replace a file in one instant, making its folder if need be. Raises StorageError; the old content then stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with storage_errors(f"write {path}"):
        try:
            ensure_folder(path.parent)
            write_synced(draft, [data])
            draft.replace(path)
            sync_folder(path.parent)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def make_folder(target: Path, names: Set[str], fill: Callable[[Path], None]) -> bool:
    """Make a new folder in one instant; `fill` writes the files `names` into it and forces each to the disk.

    Return False, and change nothing, when something stands there already, but for an empty folder. Raises OSError.
    """
    ensure_folder(target.parent)
    draft = target.with_name(f".draft-{target.name}-{secrets.token_hex(4)}")
    _remove_old_drafts(target.parent, names)
    if _is_taken(target):
        return False
    try:
        draft.mkdir()
        fill(draft)
        sync_folder(draft)
        if os.name == "nt" and target.exists():
            target.rmdir()
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) and _is_taken(target):
            return False
        raise
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync_folder(target.parent)
    return True


def _remove_old_drafts(folder: Path, names: Set[str]) -> None:
    """Remove what a process left that died while it made a folder.

    The folder may be any of the user's: a draft that is young, or holds anything but `names`, is left alone.
    """
    for draft in named_like(folder, _DRAFT_NAME):
        with suppress(OSError):
            aged = is_folder(draft) and time.time() - draft.lstat().st_mtime > _DRAFT_SECONDS
            if aged and {path.name for path in draft.iterdir()} <= names:
                shutil.rmtree(draft)


def named_like(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """What lies in a folder under a name that matches as a whole; nothing where the folder cannot be read."""
    try:
        return [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    except OSError:
        return []


def real_path(path: Path) -> Path:
    """A path that the user named, with the links in it resolved."""
    return Path(os.path.realpath(path.expanduser()))


def _is_taken(target: Path) -> bool:
    return os.path.lexists(target) and not (is_folder(target) and not any(target.iterdir()))


def candidates(target: Path) -> list[Path]:
    """Where `commit_folder` may have left the folder `target`, newest first."""
    return [_sibling(target, "new"), target, _sibling(target, "old")]


def _sibling(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}.{suffix}")


def commit_target(folder: Path) -> Path:
    """The `target` that `folder` is, or may be, a candidate of."""
    match = re.fullmatch(r"\.(.+)\.(new|old)", folder.name)
    return folder.with_name(match[1]) if match else folder


def commit_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Replace the folder `target` by one that `fill` writes (each file forced to the disk by `fill` itself).

    At every instant one of `candidates(target)` is whole: the new folder or the previous one, and the first whole one
    is the newest. What a dead process left is tidied up first. Raises StorageError; the previous folder then stays.
    """
    draft = _sibling(target, "tmp")
    with storage_errors(f"save {target}"):
        ensure_folder(target.parent)
        _tidy(target)
        try:
            draft.mkdir()
            fill(draft)
            sync_folder(draft)
            draft.rename(_sibling(target, "new"))
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _promote(target)


def _tidy(target: Path) -> None:
    """Finish or undo what a dead process began."""
    new, _, old = candidates(target)
    remove_tree(_sibling(target, "tmp"))
    if os.path.lexists(new):
        _promote(target)
    elif os.path.lexists(target):
        remove_tree(old)


def _promote(target: Path) -> None:
    """Give the whole folder `.new` its final name, then prune the previous one."""
    new, _, old = candidates(target)
    if os.path.lexists(target):
        remove_tree(old)
        target.rename(old)
    new.rename(target)
    sync_folder(target.parent)
    remove_tree(old)


def discard_folder(target: Path) -> None:
    """Remove the folder `target`, wherever `commit_folder` has left it. Raises OSError."""
    for place in candidates(target):
        remove_tree(place)


def remove_tree(path: Path) -> None:
    """Remove a folder with all it holds, a file, or a link (never what it points to); nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class UnusableFileError(OSError):
    """Something else than a regular file of a reasonable size lies where one is expected."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, what, str(path))


def open_plain(path: Path, flags: int) -> int:
    """Return a descriptor of a regular file, opened with `os.open`'s flags; never follow a link, wait, or run a device.

    What is there is looked at before it is opened, and again after: opening a device can do something already. A file
    that is to be written must have no second name, because what is written would show under the other name too.
    Raises UnusableFileError, or another OSError.
    """
    with suppress(FileNotFoundError):
        _refuse_irregular(path, path.lstat(), flags)
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | careful, 0o666)
    try:
        _refuse_irregular(path, os.fstat(descriptor), flags)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_irregular(path: Path, status: os.stat_result, flags: int) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise UnusableFileError(path, "it is a link, not a plain file")
    if not stat.S_ISREG(status.st_mode):
        raise UnusableFileError(path, "it is not a plain file")
    if flags & (os.O_WRONLY | os.O_RDWR) and status.st_nlink > 1:
        raise UnusableFileError(path, "it has a second name elsewhere (a hard link)")


def read_plain(path: Path, limit: int | None = None) -> BinaryIO:
    """Open a regular file of at most `limit` bytes to be read. Raises UnusableFileError, or another OSError."""
    file = os.fdopen(open_plain(path, os.O_RDONLY), "rb")
    size = os.fstat(file.fileno()).st_size
    if limit is not None and size > limit:
        file.close()
        raise UnusableFileError(path, f"it has {size:,} bytes, more than the {limit:,} expected")
    return file


def is_folder(path: Path) -> bool:
    """Whether a folder stands there, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def is_regular(path: Path, size: int) -> bool:
    """Whether a regular file of that many bytes lies there."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def read_plain_file(path: Path, limit: int) -> bytes:
    """All of a regular file of at most `limit` bytes. Raises UnusableFileError, or another OSError."""
    with read_plain(path, limit) as file:
        return file.read(limit)


def whole_lines(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """The lines of a file; one of more than `limit` bytes is passed over without being held."""
    while line := file.readline(limit):
        if len(line) < limit or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(limit)) and not rest.endswith(b"\n"):
            pass


def append_lines(descriptor: int, lines: bytes) -> None:
    """Append whole lines in one write where the system allows it, also after a line that a crash has torn.

    The descriptor is open for reading and appending. Raises OSError.
    """
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            lines = b"\n" + lines
    write_all(descriptor, lines)


def read_json_object(path: Path, limit: int) -> dict[str, Any]:
    """The JSON object in a regular file; its numbers are finite. Raises OSError, or ValueError with what is wrong."""
    text = read_plain_file(path, limit).decode("utf-8")
    try:
        record = json.loads(text, parse_constant=_whole_number, parse_int=_whole_number, parse_float=_finite_number)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError("holds no JSON object")
    return record


def _whole_number(text: str) -> int:
    if len(text) > 20:
        raise ValueError("holds a number out of range")
    return int(text)


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("holds a number out of range")
    return number
