"""Read a large text once, in pieces: is it UTF-8, how long is it, which characters has it, what is its digest?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tui_gpt.errors import CorpusError
from tui_gpt.text import reading
from tui_gpt.text.encodings import BinaryError, NotTextError, decode_pieces
from tui_gpt.text.folder import LeftOut, files_below, no_text
from tui_gpt.text.large.pieces import raw_pieces

Report = Callable[[float], None]
"""Takes the fraction that is done, and may raise StoppedError."""

_AT_ONCE_BYTES = 4 << 20
"""Size of a file up to which its text is held in memory until all of it is known to be UTF-8."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What there is to know about a large text without reading it again."""

    digest: str
    """SHA-256 of the normalised text in UTF-8, hexadecimal."""
    characters: int
    lines: int
    alphabet: str
    """The distinct characters, in code point order."""
    files: tuple[tuple[str, int], ...]
    """The path below the folder and the bytes of each file that has text; the path is "" where the text is one file."""
    file_ends: tuple[int, ...] = ()
    """As in `CorpusText`."""
    notes: tuple[str, ...] = ()
    """As in `CorpusText`."""


def scan_file(path: Path, name: str, report: Report) -> Scan:
    """Read the file that the user calls `name`. Raises CorpusError with the place of what is not UTF-8, and OSError."""
    size = path.stat().st_size
    if size > reading.SIZE_LIMIT:
        raise reading.too_large(name, reading.SIZE_LIMIT)
    facts = _Facts()
    try:
        for text in _texts(path, lambda done: report(done / max(1, size))):
            facts.add(text)
    except NotTextError as error:
        raise CorpusError(f"{name} {error}{reading.BYTES_REMEDY}") from error
    return facts.scan((("", size),))


def scan_folder(folder: Path, report: Report) -> Scan:
    """Read all files below a folder, as `read_folder` does. Raises CorpusError and OSError."""
    left_out, facts = LeftOut(folder), _Facts()
    paths = list(files_below(folder, left_out))
    total, done = sum(path.lstat().st_size for path in paths), 0
    if total > reading.SIZE_LIMIT:
        raise reading.too_large(str(folder), reading.SIZE_LIMIT)
    files, ends = list[tuple[str, int]](), list[int]()
    for path in paths:
        before, size = facts.characters, path.lstat().st_size
        _add_file(path, size, facts, left_out, partial(_report_more, report, done, total))
        done += size
        if facts.characters > before:
            files.append((path.relative_to(folder).as_posix(), size))
            ends.append(facts.characters)
    notes = left_out.notes()
    if not files:
        raise no_text(folder, notes)
    return facts.scan(tuple(files), tuple(ends), notes)


def _add_file(path: Path, size: int, facts: _Facts, left_out: LeftOut, report: Callable[[int], None]) -> None:
    """Add the text of a file, ended with a newline, or leave it out as a whole."""
    before = facts.characters
    try:
        for text in _whole_texts(path, size, report):
            facts.add(text)
    except OSError:
        left_out.add("unreadable file", path)
    except BinaryError:
        left_out.add("binary file", path)
    except NotTextError as error:
        left_out.add("file that is not UTF-8", path, str(error))
    if facts.characters > before:
        facts.end_line()


def _report_more(report: Report, before: int, total: int, read: int) -> None:
    report((before + read) / max(1, total))


def _whole_texts(path: Path, size: int, report: Callable[[int], None]) -> Iterator[str]:
    """Yield the text of a file in pieces once all of it is known to be UTF-8."""
    if size <= _AT_ONCE_BYTES:
        yield from list(_texts(path, report))
        return
    for _ in _texts(path, lambda read: report(read // 2)):
        pass
    yield from _texts(path, lambda read: report((size + read) // 2))


def _texts(path: Path, report: Callable[[int], None]) -> Iterator[str]:
    """Yield the text of a file in pieces; `report` takes the bytes that were read."""
    with path.open("rb") as file:
        for text in decode_pieces(raw_pieces(file)):
            report(file.tell())
            yield text


class _Facts:
    """Counts the pieces of a text."""

    def __init__(self) -> None:
        from tui_gpt.text.alphabet import Alphabet  # numpy takes a tenth of a second, which --help need not wait

        self.characters = 0
        self._digest = hashlib.sha256()
        self._newlines = 0
        self._ends_line = False
        self._alphabet = Alphabet()

    def add(self, text: str) -> None:
        if not text:
            return
        self._digest.update(text.encode("utf-8"))
        self.characters += len(text)
        self._newlines += text.count("\n")
        self._ends_line = text.endswith("\n")
        self._alphabet.add(text)

    def end_line(self) -> None:
        """End the last line with `\\n`, unless it is ended."""
        if not self._ends_line:
            self.add("\n")

    def scan(
        self, files: tuple[tuple[str, int], ...], file_ends: tuple[int, ...] = (), notes: tuple[str, ...] = ()
    ) -> Scan:
        return Scan(
            digest=self._digest.hexdigest(),
            characters=self.characters,
            lines=self._newlines + (not self._ends_line),
            alphabet=self._alphabet.characters(),
            files=files,
            file_ends=file_ends,
            notes=notes,
        )
