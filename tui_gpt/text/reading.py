"""Read a file or stdin as UTF-8 text, within a size limit."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tui_gpt.errors import CorpusError
from tui_gpt.text.any_bytes import text_of
from tui_gpt.text.encodings import NotTextError, decode_text

STDIN = "-"
"""The name of stdin on the command line."""
BYTES_REMEDY = ", or train on its bytes with --tokenizer byte"
"""What else can be done with a training text that is not UTF-8."""
SIZE_LIMIT = 2 << 30
"""Bytes of one text."""


def read_text(place: str, limit: int | None = None, *, as_bytes: bool = False) -> str:
    """Return the text of the file `place`, or of stdin for `-`, of at most `limit` bytes; with `as_bytes` unchanged.

    Raises CorpusError where it cannot be read, is too large or is not UTF-8 text.
    """
    if place == STDIN:
        piped = read_stdin(limit=limit)
        return text_of(piped) if as_bytes else decode_named(piped, "stdin")
    try:
        data = read_file(path_of(place), place, limit)
    except (OSError, ValueError, RuntimeError) as error:
        raise CorpusError(f"{place} cannot be read ({reason_of(error)}): name a text file") from error
    return text_of(data) if as_bytes else decode_named(data, place)


def decode_named(data: bytes, name: str, remedy: str = "") -> str:
    """Return the text of `data`, see `decode_text`. Raises CorpusError that begins with `name`.

    `remedy` is what the error names besides its own remedy.
    """
    try:
        return decode_text(data)
    except NotTextError as error:
        raise CorpusError(f"{name} {error}{remedy}") from error


def path_of(place: str) -> Path:
    """Return the path that the user calls `place`, `~` expanded. Raises ValueError or RuntimeError if it is invalid."""
    if not place:
        raise ValueError("an empty path would mean the current folder")
    return Path(place).expanduser()


def reason_of(error: Exception) -> str:
    """Return why a place cannot be read, in a few words."""
    reason: str = getattr(error, "strerror", None) or "that cannot be a path"
    return reason


def read_stdin(stdin: BinaryIO | None = None, limit: int | None = None) -> bytes:
    """Return all bytes from stdin. Raises CorpusError where it is closed, unreadable or too large."""
    with open_stdin(stdin) as stream:
        return _read_stream(stream, "stdin", limit)


@contextmanager
def open_stdin(stdin: BinaryIO | None = None) -> Iterator[BinaryIO]:
    """Give stdin to the block, and raise CorpusError where it is closed or cannot be read."""
    if stdin is None and sys.stdin is None:
        raise CorpusError("stdin is closed: pipe a text into it, or name a file")
    try:
        yield stdin or sys.stdin.buffer
    except OSError as error:
        raise CorpusError(f"stdin cannot be read ({error.strerror}): pipe a text into it, or name a file") from error


def read_file(path: Path, name: str, limit: int | None = None) -> bytes:
    """Return all bytes of a file, called `name` in errors. Raises CorpusError where it is too large, and OSError."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > (limit or SIZE_LIMIT):
            raise too_large(name, limit or SIZE_LIMIT)
        return _read_stream(file, name, limit)


def _read_stream(stream: BinaryIO, name: str, limit: int | None) -> bytes:
    most = limit or SIZE_LIMIT
    data = stream.read(most + 1)
    if len(data) > most:
        raise too_large(name, most)
    return data


def too_large(name: str, limit: int) -> CorpusError:
    """Return the error for a text of more than `limit` bytes."""
    size = f"{limit >> 30} GB" if limit >> 30 else f"{limit >> 20} MB"
    return CorpusError(f"{name} is larger than {size}: choose a smaller part of it")
