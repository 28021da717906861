"""Put things that a stranger may create in the place of a file, and check that a command does nothing with them.

Each kind of thing is put into each place of a run's folder and of the user's home; then every command is run. It may
refuse with one line, or do its work; it may not wait, show a traceback, or change anything outside the folder.
"""

import errno
import io
import os
import shutil
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

WATCHDOG_SECONDS = 20.0
"""After which a command hangs. Those here take a few hundredths of a second, less than 2 s on any machine."""
SPARSE_BYTES = 1 << 40


class HangError(BaseException):
    """A command has not ended in time."""


class NotPossibleHereError(Exception):
    """This user or this file system cannot create such a thing."""


class Outside:
    """A folder with files of the user, none of which may change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "album").mkdir(parents=True)
        (folder / "notes.txt").write_text("precious notes\n")
        (folder / "album" / "photo.txt").write_text("a precious photo\n")
        for path in (folder / "notes.txt", folder / "album", folder):
            os.utime(path, (1e9, 1e9))

    def state(self) -> dict[str, tuple[object, ...]]:
        """Return content, mode and time of everything in the folder."""
        return {str(path.relative_to(self.folder)): _facts(path) for path in (self.folder, *self.folder.rglob("*"))}


def _facts(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
    return status.st_mode, status.st_uid, status.st_mtime_ns, content


def _link(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "notes.txt")


def _link_to_folder(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "album")


def _link_to_nothing(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "new.txt")


def _link_to_itself(place: Path, outside: Path) -> None:
    place.symlink_to(place)


def _hard_link(place: Path, outside: Path) -> None:
    place.hardlink_to(outside / "notes.txt")


def _pipe(place: Path, outside: Path) -> None:
    os.mkfifo(place)


def _socket(place: Path, outside: Path) -> None:
    """Create a socket under a short name, as the system demands, and move it."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "s"))
        (folder / "s").rename(place)
    folder.rmdir()


def _device(place: Path, outside: Path) -> None:
    """Create another /dev/zero, which has no end."""
    try:
        os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except OSError as error:
        raise NotPossibleHereError from error


def _folder(place: Path, outside: Path) -> None:
    (place / "deeper").mkdir(parents=True)
    (place / "deeper" / "file").write_text("x")


def _unreadable(place: Path, outside: Path) -> None:
    """Create a file of mode 0, which root can read except under `obey_modes`."""
    place.write_text("{}")
    place.chmod(0)


def _sparse(place: Path, outside: Path) -> None:
    """Create a file that claims a terabyte and takes no space."""
    try:
        with place.open("wb") as file:
            file.truncate(SPARSE_BYTES)
    except OSError as error:
        place.unlink(missing_ok=True)
        raise NotPossibleHereError from error


KINDS: Mapping[str, Callable[[Path, Path], None]] = {
    "link": _link,
    "link to a folder": _link_to_folder,
    "link to nothing": _link_to_nothing,
    "link to itself": _link_to_itself,
    "hard link": _hard_link,
    "pipe": _pipe,
    "socket": _socket,
    "device": _device,
    "folder": _folder,
    "unreadable file": _unreadable,
    "sparse file": _sparse,
}


def put(kind: str, place: Path, outside: Outside) -> None:
    """Put a thing of that kind in the place of whatever is there. Raises NotPossibleHereError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    KINDS[kind](place, outside.folder)


def obey_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse root a file of mode 0, as other users are."""

    def obeying(call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(path: Any, *arguments: Any, **options: Any) -> Any:
            if _is_closed(path):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *arguments, **options)

        return checked

    for module in (os, io):
        monkeypatch.setattr(module, "open", obeying(module.open))


def _is_closed(path: Any) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except (OSError, TypeError, ValueError):
        return False
    return stat.S_ISREG(mode) and not stat.S_IMODE(mode)


@contextmanager
def watchdog(seconds: float = WATCHDOG_SECONDS) -> Iterator[list[float]]:
    """Raise HangError when the block takes longer; append the seconds that it took to the list."""

    def bark(number: int, frame: FrameType | None) -> None:
        raise HangError(f"after {seconds:g} s")

    taken: list[float] = []
    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    began = time.monotonic()
    try:
        yield taken
    finally:
        taken.append(time.monotonic() - began)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def remove_all(folder: Path) -> None:
    """Remove a folder, whatever is in it."""
    for path in folder.rglob("*"):
        with suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_nlink == 1:
                path.chmod(0o600)
    shutil.rmtree(folder, ignore_errors=True)
