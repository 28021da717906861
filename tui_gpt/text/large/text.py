"""A text that is too large for memory: its facts, and its pieces, which are read from the disk."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tui_gpt.control import Control
from tui_gpt.errors import CorpusError
from tui_gpt.text.encodings import decode_valid
from tui_gpt.text.folder import LeftOut, files_below
from tui_gpt.text.large.cache import PreparedFolder
from tui_gpt.text.large.pieces import raw_pieces
from tui_gpt.text.large.scan import Scan, scan_file, scan_folder

LARGE_BYTES = 64 << 20
"""Size of a file or folder above which a text is not held in memory."""
READING = "reading the text"
"""The activity."""


@dataclass(frozen=True, order=True)
class Place:
    """How far a text was read."""

    file: int
    """The number of the file, from 0."""
    byte: int
    """Bytes of it that were read."""


@dataclass(frozen=True)
class LargeText:
    """A text that was scanned and is read again in pieces; the fields that `CorpusText` has too mean the same."""

    name: str
    source: str
    place: Path
    """Absolute path of the file or the folder."""
    fingerprint: str
    scan: Scan

    @classmethod
    def read(cls, place: Path, spec: str, name: str, source: str, control: Control) -> LargeText:
        """Return the text at `place`, which the user calls `spec`; scan it unless that was done before.

        Raises CorpusError, StoppedError, OSError.
        """
        fingerprint = fingerprint_of(place)
        prepared = PreparedFolder.of(place)
        scan = prepared.read_scan(fingerprint)
        if scan is None:
            scan = _scanned(place, spec, lambda done: control.report_or_stop(READING, done))
            _require_unchanged(place, spec, fingerprint)
            prepared.write_scan(place, fingerprint, scan)
        return cls(name, source, place, fingerprint, scan)

    @property
    def digest(self) -> str:
        """SHA-256 of the text in UTF-8, hexadecimal."""
        return self.scan.digest

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, one sentence each."""
        return self.scan.notes

    @property
    def file_ends(self) -> tuple[int, ...]:
        """Where each file of a folder ends in the text."""
        return self.scan.file_ends

    @property
    def characters(self) -> int:
        """The length of the text."""
        return self.scan.characters

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self.scan.lines

    @property
    def alphabet(self) -> str:
        """The distinct characters, in code point order."""
        return self.scan.alphabet

    @property
    def prepared(self) -> PreparedFolder:
        """The folder of what was prepared of this text."""
        return PreparedFolder.of(self.place)

    @property
    def end(self) -> Place:
        """The place after the last piece."""
        return Place(len(self.scan.files) - 1, self.scan.files[-1][1])

    def fraction_before(self, place: Place) -> float:
        """Return about which fraction of the text is before a place: of its files, and of the bytes of one."""
        size = self.scan.files[place.file][1]
        return (place.file + (place.byte / size if size else 1.0)) / len(self.scan.files)

    def pieces(self) -> Iterator[str]:
        """Yield the text in pieces. Raises CorpusError where it was changed meanwhile."""
        for _, piece in self.pieces_from(Place(0, 0)):
            yield piece

    def pieces_from(self, start: Place) -> Iterator[tuple[Place, str]]:
        """Yield the pieces from a place on, each with the place after it. Raises CorpusError, as `pieces`."""
        try:
            for number in range(start.file, len(self.scan.files)):
                for byte, piece in self._pieces_of(number, start.byte if number == start.file else 0):
                    yield Place(number, byte), piece
        except (OSError, UnicodeDecodeError) as error:
            raise changed(self.source) from error

    def _pieces_of(self, number: int, start: int) -> Iterator[tuple[int, str]]:
        """Yield the pieces of a file, each with the bytes read so far."""
        path, size = self.scan.files[number]
        with (self.place / path if path else self.place).open("rb") as file:
            byte = file.seek(start)
            for piece in raw_pieces(file):
                text = decode_valid(piece, is_first=byte == 0)
                byte += len(piece)
                is_cut = path and byte == size and not text.endswith("\n")
                yield byte, f"{text}\n" if is_cut else text

    def require_unchanged(self) -> None:
        """Raise CorpusError where the text has changed since it was scanned."""
        _require_unchanged(self.place, self.source, self.fingerprint)


def fingerprint_of(place: Path) -> str:
    """Return what changes whenever a file, or a file in a folder, is written: sizes and times. Raises OSError."""
    status = place.stat()
    if not stat.S_ISDIR(status.st_mode):
        return f"{status.st_size} {status.st_mtime_ns}"
    digest = hashlib.sha256()
    for path in files_below(place, LeftOut(place)):
        status = path.lstat()
        digest.update(os.fsencode(path.relative_to(place)))
        digest.update(f"\0{status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 for a stream. Raises OSError."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return sum(file.lstat().st_size for file in files_below(path, LeftOut(path)))
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _scanned(place: Path, spec: str, report: Callable[[float], None]) -> Scan:
    scan = scan_folder(place, report) if place.is_dir() else scan_file(place, spec, report)
    if not scan.alphabet or scan.alphabet.isspace():
        raise CorpusError(f"{spec} is blank, it contains only white space: choose a file with some text in it")
    return scan


def _require_unchanged(place: Path, spec: str, fingerprint: str) -> None:
    try:
        if fingerprint_of(place) == fingerprint:
            return
    except OSError as error:
        raise changed(spec) from error
    raise changed(spec)


def changed(spec: str) -> CorpusError:
    """Return the error for a text that was changed while it was read."""
    return CorpusError(f"{spec} was changed while it was read: start again when nothing writes into it")
