"""The token store: the tokens of a large text in a file, made once, checked whenever it is opened, mapped into memory.

`tokens-TEXT-TOKENIZER.bin` holds the tokens in the smallest unsigned type. `.jsonl` beside it has one line per chunk:
where the chunk ends in the text and in the file, and its SHA-256. So nothing else has to be atomic or forced to the
disk. Whatever a killed process or a power loss leaves, the chunks up to the first that is missing, torn or altered are
kept, and the store is made from there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tui_gpt.control import Control
from tui_gpt.errors import CorpusError
from tui_gpt.records import parse_object, read_record
from tui_gpt.storage.files import atomic_write, ensure_free_space, storage_errors
from tui_gpt.storage.json_lines import append_lines, open_to_append, whole_lines
from tui_gpt.storage.plain_files import open_plain, read_plain
from tui_gpt.text.large.mapped import MappedTokens
from tui_gpt.text.large.text import LargeText, Place
from tui_gpt.text.tokenizers.protocol import Encoder

CHUNK_TOKENS = 4 << 20
"""Tokens of a chunk, which may have up to a piece of the text more."""
TOKENIZING = "tokenizing the text"
CHECKING = "checking the tokens"
"""The activities."""
_LINE_LIMIT = 1_000
FORMAT = 1


@dataclass(frozen=True)
class Chunk:
    """A line of the store: what is in the file up to the end of a chunk."""

    place: Place
    """Where the chunk ends in the text."""
    tokens: int
    """Tokens up to its end."""
    sha256: str
    """Of the chunk's tokens, in bytes."""


def open_tokens(text: LargeText, tokenizer: Encoder, control: Control) -> MappedTokens:
    """Return the tokens of a text; make what is missing of them. Raises StoppedError, CorpusError, StorageError."""
    store = _Store(text, tokenizer, control)
    with text.prepared.lock(control), storage_errors(f"write the tokens of {text.source}"):
        chunks = store.valid_chunks()
        if not chunks or chunks[-1].place != text.end:
            chunks = store.complete(chunks)
        text.prepared.mark_used()
        return MappedTokens(store.data, store.dtype, chunks[-1].tokens)


class _Store:
    """The two files of a text's tokens."""

    def __init__(self, text: LargeText, tokenizer: Encoder, control: Control) -> None:
        self._text = text
        self._tokenizer = tokenizer
        self._control = control
        self.dtype = np.min_scalar_type(tokenizer.vocab_size - 1).newbyteorder("<")
        record = json.dumps([FORMAT, tokenizer.to_dict()], sort_keys=True)
        self._of_text = f"tokens-{text.digest[:16]}-"
        name = self._of_text + hashlib.sha256(record.encode()).hexdigest()[:16]
        self.data = text.prepared.path / f"{name}.bin"
        self._lines = text.prepared.path / f"{name}.jsonl"

    def valid_chunks(self) -> list[Chunk]:
        """Return the chunks up to the first whose line or tokens are missing, torn or altered."""
        found: list[Chunk] = []
        with suppress(OSError, ValueError), read_plain(self._lines) as lines, read_plain(self.data) as data:
            for line in whole_lines(lines, _LINE_LIMIT):
                chunk = read_record(Chunk, parse_object(line.decode()))
                before = found[-1].tokens if found else 0
                self._control.report_or_stop(CHECKING, min(1.0, before / max(1, self._text.characters)))
                if not self._is_whole(data, chunk.tokens - before, chunk.sha256):
                    break
                found.append(chunk)
        return found

    def _is_whole(self, data: BinaryIO, tokens: int, sha256: str) -> bool:
        """Return whether the next `tokens` tokens of `data` have that digest."""
        if not 0 <= tokens <= self._text.characters:
            return False
        return hashlib.sha256(data.read(tokens * self.dtype.itemsize)).hexdigest() == sha256

    def complete(self, chunks: list[Chunk]) -> list[Chunk]:
        """Make the store from after these chunks on, and return all of them."""
        last = chunks[-1] if chunks else Chunk(Place(0, 0), 0, "")
        self._make_room((self._text.characters - last.tokens) * self.dtype.itemsize)
        atomic_write(self._lines, b"".join(map(_line, chunks)))
        made = list(self._appended(last))
        try:
            self._text.require_unchanged()
        except CorpusError:
            self._lines.unlink()
            raise
        return chunks + made

    def _make_room(self, needed: int) -> None:
        prepared = self._text.prepared
        prepared.remove_tokens_except(self._of_text)
        prepared.make_room(prepared.size() + needed)
        ensure_free_space(prepared.path, needed)

    def _appended(self, last: Chunk) -> Iterator[Chunk]:
        """Write the chunks after `last`, and yield each."""
        size = last.tokens * self.dtype.itemsize
        with _open_to_continue(self.data, size) as file, open_to_append(self._lines) as log:
            for place, tokens in self._encoded(last.place):
                data = tokens.tobytes()
                file.write(data)
                file.flush()
                last = Chunk(place, last.tokens + len(tokens), hashlib.sha256(data).hexdigest())
                append_lines(log, _line(last))
                yield last

    def _encoded(self, start: Place) -> Iterator[tuple[Place, npt.NDArray[Any]]]:
        """Yield the tokens of the text from a place on in chunks, each with the place where it ends."""
        parts: list[npt.NDArray[Any]] = []
        for place, piece in self._text.pieces_from(start):
            self._control.report_or_stop(TOKENIZING, self._text.fraction_before(place))
            parts.append(self._tokenizer.encode_compact(piece).astype(self.dtype, copy=False))
            if sum(map(len, parts)) >= CHUNK_TOKENS or place == self._text.end:
                yield place, np.concatenate(parts)
                parts = []


def _line(chunk: Chunk) -> bytes:
    return json.dumps(dataclasses.asdict(chunk)).encode() + b"\n"


def _open_to_continue(path: Path, size: int) -> BinaryIO:
    """Open a file, created if needed, to be written after its first `size` bytes. Raises OSError."""
    file = os.fdopen(open_plain(path, os.O_RDWR | os.O_CREAT), "r+b")
    file.truncate(size)
    file.seek(size)
    return file
