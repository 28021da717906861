"""Open regular files only: in a folder that may come from a stranger, no link is followed and no pipe or device opened.

Reading such a folder can therefore fail, but neither hang nor lead outside it, and writing never changes another file.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tui_gpt.records import parse_object


class UnusableFileError(OSError):
    """The path is not a regular file of the expected size."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(errno.EINVAL, problem, str(path))


def open_plain(path: Path, flags: int) -> int:
    """Open a regular file with `os.open`'s flags and return its descriptor; never follow a link or wait.

    The file is checked before it is opened, because opening a device can have an effect, and again afterwards. A file
    opened for writing must have no hard link elsewhere, because the other name would show what is written.
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
    """Open a regular file of at most `limit` bytes for reading. Raises UnusableFileError, or another OSError."""
    file = os.fdopen(open_plain(path, os.O_RDONLY), "rb")
    size = os.fstat(file.fileno()).st_size
    if limit is not None and size > limit:
        file.close()
        raise UnusableFileError(path, f"it has {size:,} bytes, more than the {limit:,} expected")
    return file


def read_plain_file(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes. Raises UnusableFileError, or another OSError."""
    with read_plain(path, limit) as file:
        return file.read(limit)


def read_json_object(path: Path, limit: int) -> dict[str, Any]:
    """Return the JSON object in a regular file. Raises OSError, or ValueError with what is wrong."""
    return parse_object(read_plain_file(path, limit).decode("utf-8"))


def is_folder(path: Path) -> bool:
    """Return whether the path is a folder, and not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def is_regular(path: Path, size: int) -> bool:
    """Return whether the path is a regular file of `size` bytes."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size
