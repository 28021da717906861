"""Record a trace: every system call of a part of the program that changes a folder, as an operation of the model.

The program runs in a real folder, with `os` and `open` patched, so the storage layer is not involved. A changing call
that the model does not know is an error, and in the end the trace must lead to exactly the files in the folder, so that
no call can be overlooked.
"""

import builtins
import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import tui_gpt
from tests.storage.disk.model import (
    ROOT,
    Content,
    Contents,
    EntryChange,
    Image,
    Link,
    Mark,
    Operation,
    Rename,
    Sync,
    Tree,
    Truncate,
    Unlink,
    Write,
    applied,
    written,
)

PROGRAM = Path(tui_gpt.__file__).parent
TESTS = Path(__file__).parents[1]
VOLATILE = ("lock",)
"""Endings of files whose content no one needs after a power loss: it names a process."""
UNKNOWN = (
    "link",
    "symlink",
    "mkfifo",
    "mknod",
    "pwrite",
    "pwritev",
    "writev",
    "sendfile",
    "copy_file_range",
    "truncate",
)
HELPERS = frozenset({"write_synced", "sync_folder", "write_all", "ensure_folder"})
"""Functions of the program that are a system call to their callers: those are the sites."""


class Trace:
    """The operations on a folder, from its initial state."""

    def __init__(self, root: Path, skipped: str | None = None) -> None:
        self.root = root
        self.start = image_of(root)
        self.operations: list[Operation] = []
        self.sites: set[str] = set()
        """The lines that forced something to the disk or renamed it."""
        self._now = Image(dict(self.start.entries), dict(self.start.contents))
        self._skipped = skipped
        self._open: dict[int, int] = {}
        self._real: dict[str, Callable[..., Any]] = {}

    def mark(self) -> None:
        """Record that the program has promised that everything up to here is durable."""
        self.operations.append(Mark())

    def check(self) -> None:
        """Raise AssertionError unless the trace leads to the content of the folder."""
        seen, there = (
            {k: v for k, v in t.items() if not k.endswith(VOLATILE)} for t in (self._now.tree(), tree_of(self.root))
        )
        assert seen == there, f"the trace has missed a call: {seen.keys() ^ there.keys() or 'contents differ'}"

    # Paths and inodes

    def _place(self, path: Any, dir_fd: int | None = None) -> tuple[int, str] | None:
        """Return folder and name of a path below the root; None for any other."""
        text = os.fsdecode(path)
        if dir_fd is not None:
            folder = self._open.get(dir_fd)
            return None if folder is None else (folder, text)
        with suppress(ValueError):
            parts = Path(os.path.abspath(text)).relative_to(self.root).parts  # noqa: PTH100  (Path.absolute keeps `..`)
            folder = ROOT
            for name in parts[:-1]:
                found = self._now.entries.get((folder, name))
                if found is None:
                    return None
                folder = found
            return (folder, parts[-1]) if parts else (ROOT, "")
        return None

    def _inode(self, place: tuple[int, str] | None) -> int | None:
        if place is None:
            return None
        return self._now.entries.get(place) if place[1] else place[0]

    def _change(self, change: EntryChange) -> None:
        if isinstance(change, Link):
            self._now.contents[change.inode] = None if change.is_folder else b""
        applied(change, self._now.entries)
        self.operations.append(change)

    def _create(self, place: tuple[int, str], is_folder: bool) -> int:
        inode = len(self._now.contents)
        self._change(Link(*place, inode, is_folder))
        return inode

    def _data(self, change: Write | Truncate) -> None:
        if any(inode == change.inode and name.endswith(VOLATILE) for (_, name), inode in self._now.entries.items()):
            return
        before = self._now.contents[change.inode]
        assert isinstance(before, bytes), "something else than a file was written"
        after = self._now.contents[change.inode] = written(change, before)
        if after != before:
            self.operations.append(change)

    # The system calls

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        place = self._place(path, dir_fd)
        descriptor: int = self._real["open"](path, flags, mode, dir_fd=dir_fd)
        if place is not None:
            inode = self._inode(place)
            if inode is None:
                inode = self._create(place, is_folder=False)
            self._open[descriptor] = inode
            if flags & os.O_TRUNC and self._now.contents[inode]:
                self._data(Truncate(inode, 0))
        else:
            self._open.pop(descriptor, None)
        return descriptor

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        self._real["close"](descriptor)

    def write(self, descriptor: int, data: Any) -> int:
        count: int = self._real["write"](descriptor, data)
        self.wrote(descriptor, bytes(data)[:count])
        return count

    def wrote(self, descriptor: int, data: bytes) -> None:
        """Record what has just been written to a descriptor."""
        inode = self._open.get(descriptor)
        if inode is not None and data:
            self._data(Write(inode, os.lseek(descriptor, 0, os.SEEK_CUR) - len(data), data))

    def ftruncate(self, descriptor: int, size: int) -> None:
        self._real["ftruncate"](descriptor, size)
        self.was_truncated(descriptor, size)

    def was_truncated(self, descriptor: int, size: int) -> None:
        """Record that a descriptor's file has just been truncated."""
        inode = self._open.get(descriptor)
        if inode is not None:
            self._data(Truncate(inode, size))

    def fsync(self, descriptor: int) -> None:
        inode = self._open.get(descriptor)
        if inode is not None:
            self.operations.append(Sync(inode, self._site()))

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        place = self._place(path, dir_fd)
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        if place is not None:
            self._create(place, is_folder=True)

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._remove("unlink", path, dir_fd)

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._remove("rmdir", path, dir_fd)

    def _remove(self, call: str, path: Any, dir_fd: int | None) -> None:
        place = self._place(path, dir_fd)
        self._real[call](path, dir_fd=dir_fd)
        if place is not None:
            self._change(Unlink(*place))

    def rename(self, source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        old, new = self._place(source, src_dir_fd), self._place(target, dst_dir_fd)
        if old is None and new is None:
            self._real["rename"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            return
        assert old is not None, "something came from outside of the recorded folder"
        assert new is not None, "something left the recorded folder"
        if self._site() == self._skipped:
            return
        self._real["rename"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        self._change(Rename(old[0], *new, self._now.entries[old]))

    def _site(self) -> str:
        """Return the line of the program or of a scenario that makes this call, as `file.py:function:line`."""
        frame = sys._getframe(1)
        while (name := _source_name(frame.f_code.co_filename)) is None or frame.f_code.co_name in HELPERS:
            assert frame.f_back is not None, "there is no caller"
            frame = frame.f_back
        site = f"{name}:{frame.f_code.co_name}:{frame.f_lineno}"
        self.sites.add(site)
        return site

    def open_file(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        """Open a file as the built-in `open` does, and record its writes if it is below the root."""
        is_ours = file in self._open if isinstance(file, int) else self._place(file) is not None
        if not is_ours or not set(mode) & set("wax+"):
            return self._real["io"](file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = _WatchedFile(self, file, mode.replace("b", "").replace("t", ""), closefd, opener or os.open)
        if buffering == 0:
            return raw
        buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline, buffering == 1)

    def recording(self) -> Iterator[None]:
        """Replace the system calls."""
        calls: dict[str, Any] = {
            **{name: getattr(self, name) for name in ("open", "close", "write", "ftruncate", "fsync", "mkdir")},
            **{"unlink": self.unlink, "remove": self.unlink, "rmdir": self.rmdir},
            **{"rename": self.rename, "replace": self.rename, "fdatasync": self.fsync},
        }
        self._real = {name: getattr(os, name) for name in calls} | {"io": io.open}
        calls |= {name: _not_understood(name) for name in UNKNOWN if hasattr(os, name)}
        openers = [patch.object(module, "open", self.open_file) for module in (io, builtins)]
        with patch.multiple(os, **calls), openers[0], openers[1]:
            yield


class _WatchedFile(io.FileIO):
    """A file whose writes are recorded."""

    def __init__(self, trace: Trace, file: Any, mode: str, closefd: bool, opener: Any) -> None:
        self._trace = trace
        super().__init__(file, mode, closefd, lambda path, flags: opener(path, flags, 0o666))

    def write(self, data: Any) -> int:
        count = super().write(data)
        self._trace.wrote(self.fileno(), bytes(data)[:count])
        return count

    def truncate(self, size: int | None = None) -> int:
        size = super().truncate(size)
        self._trace.was_truncated(self.fileno(), size)
        return size


@functools.cache
def _source_name(file: str) -> str | None:
    """Return the name of a source file of the program or the tests; None for any other, and for this one."""
    for folder in (PROGRAM, TESTS):
        if file != __file__ and Path(file).is_relative_to(folder):
            return f"{'tests/' if folder == TESTS else ''}{Path(file).relative_to(folder)}"
    return None


def _not_understood(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError(f"os.{name} is no part of the disk's model yet")

    return refuse


@contextmanager
def recorded(root: Path, skipped: str | None = None) -> Iterator[Trace]:
    """Record the operations below `root` within the block; renames of the site `skipped` are not made."""
    trace = Trace(root, skipped)
    with contextmanager(trace.recording)():
        yield trace
    trace.check()


def tree_of(root: Path) -> Tree:
    """Return the content of a folder."""
    return {str(path.relative_to(root)): _content_of(path) for path in root.rglob("*")}


def _content_of(path: Path) -> Content:
    if path.is_symlink():
        return str(path.readlink())
    return None if path.is_dir() else path.read_bytes()


def image_of(root: Path) -> Image:
    """Return the content of a folder as a file system."""
    contents: Contents = {ROOT: None}
    entries = {}
    inodes = {"": ROOT}
    for path, content in sorted(tree_of(root).items()):
        inode = inodes[path] = len(contents)
        folder, _, name = path.rpartition("/")
        entries[inodes[folder], name] = inode
        contents[inode] = content
    return Image(entries, contents)
