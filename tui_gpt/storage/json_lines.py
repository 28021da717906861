"""Append to a file of JSON lines and read it back, also after a crash has cut off its last line.

A process that dies while it appends, or a disk that fills up, can leave a torn line at the end. The next append starts
a new line, and a reader skips every line that it cannot parse, so a torn or foreign line costs only itself.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from tui_gpt.storage.files import write_all
from tui_gpt.storage.plain_files import open_plain

_Parsed = TypeVar("_Parsed")


@contextmanager
def open_to_append(path: Path) -> Iterator[int]:
    """Open a regular file for `append_lines`, creating it when it is missing. Raises OSError."""
    descriptor = open_plain(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def append_lines(descriptor: int, lines: bytes) -> None:
    """Append whole lines, in one write where the system allows it, ending a torn line first. Raises OSError."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            lines = b"\n" + lines
    write_all(descriptor, lines)


def whole_lines(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield the lines of a file, skipping those of more than `limit` bytes without holding them in memory."""
    while line := file.readline(limit):
        if len(line) < limit or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(limit)) and not rest.endswith(b"\n"):
            pass


def parsed_lines(lines: Iterable[bytes], parse: Callable[[str], _Parsed]) -> Iterator[tuple[bytes, _Parsed]]:
    """Yield each line with its parsed value, skipping those for which decoding or `parse` raises ValueError."""
    for line in lines:
        with suppress(ValueError):
            yield line, parse(line.decode("utf-8"))
