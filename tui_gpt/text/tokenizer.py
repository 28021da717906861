"""A character tokenizer: token i is the i-th of the distinct characters of a text, in code point order.

A model knows only the characters of the text it was built for. Others are left out when a text is encoded, which is not
an error; `unknown` returns them, so that an interface can report them. There are no special tokens and no merges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tui_gpt.config import TokenizerName
from tui_gpt.errors import CheckpointError
from tui_gpt.text.alphabet import Alphabet

Ids = npt.NDArray[np.int32]

_CHUNK = 1 << 22
"""Characters processed at a time, so that a long text never takes four bytes per character."""
_CACHED_CHUNK = 1 << 15
"""Characters encoded at a time, so that their code points and tokens stay in the processor's caches."""


@dataclass(frozen=True)
class CharTokenizer:
    """An alphabet. Raises ValueError unless `characters` are distinct, sorted and at least one."""

    characters: str
    kind: TokenizerName = "character"

    def __post_init__(self) -> None:
        if not self.characters or list(self.characters) != sorted(set(self.characters)):
            raise ValueError("the characters of a tokenizer are distinct, sorted and at least one")

    @classmethod
    def from_text(cls, text: str) -> CharTokenizer:
        """Return the tokenizer of the distinct characters of `text`, which must not be empty."""
        alphabet = Alphabet()
        alphabet.add(text)
        return cls(alphabet.characters())

    @property
    def vocab_size(self) -> int:
        """The number of distinct tokens."""
        return len(self.characters)

    @cached_property
    def _codes(self) -> npt.NDArray[np.uint32]:
        """(vocab_size,): the code point of each token."""
        return np.array([ord(character) for character in self.characters], dtype="<u4")

    @cached_property
    def _ids(self) -> Ids:
        """The token of each code point up to the last known one and 255, -1 for unknown ones; the last entry is -1."""
        table = np.full(max(int(self._codes[-1]), 255) + 2, -1, dtype=np.int32)
        table[self._codes] = np.arange(self.vocab_size)
        return table

    def _lookup(self, codes: npt.NDArray[Any]) -> Ids:
        """Return the tokens of code points; -1 for unknown ones."""
        ids: Ids = self._ids[codes if codes.itemsize == 1 else np.minimum(codes, len(self._ids) - 1)]
        return ids

    def lookup(self, text: str) -> Ids:
        """Return the token of each character of `text`; -1 for an unknown one."""
        parts = [self._lookup(codes) for codes in code_points(text)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)

    def encode(self, text: str) -> Ids:
        """Return the tokens of `text`; unknown characters are left out."""
        ids = self.lookup(text)
        return ids if ids.min(initial=0) >= 0 else ids[ids >= 0]

    def encode_compact(self, text: str) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Return `encode` in the smallest unsigned type for the vocabulary: one byte per token for most alphabets."""
        smallest = np.min_scalar_type(self.vocab_size - 1)
        places = range(0, len(text), _CACHED_CHUNK)
        parts = [self._encode_chunk(text[at : at + _CACHED_CHUNK]).astype(smallest) for at in places]
        return np.concatenate(parts) if parts else np.empty(0, dtype=smallest)

    def _encode_chunk(self, text: str) -> npt.NDArray[Any]:
        if not text.isascii() or self.characters[0] > "\x7f":
            return self.encode(text)
        return np.frombuffer(text.encode("ascii").translate(*self._ascii_table), dtype=np.uint8)

    @cached_property
    def _ascii_table(self) -> tuple[bytes, bytes]:
        """The token of each ASCII character and the unknown ones, for `bytes.translate`."""
        ids = self._ids[:128]
        return bytes(np.maximum(ids, 0).astype(np.uint8)) + bytes(128), bytes(np.flatnonzero(ids < 0).tolist())

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> str:
        """Return the text of tokens. Raises IndexError outside range(vocab_size)."""
        return self._codes[np.asarray(ids, dtype=np.int64)].tobytes().decode("utf-32-le", "surrogatepass")

    @property
    def texts(self) -> Sequence[str]:
        """The text of each token: a character."""
        return self.characters

    def stream(self) -> Callable[[int], str]:
        """Return a decoder of single tokens, see `Tokenizer.stream`."""
        return self.characters.__getitem__

    def unknown(self, text: str) -> str:
        """Return the distinct characters of `text` that have no token, in order of appearance."""
        return "".join(character for character in dict.fromkeys(text) if character not in self.characters)

    def to_dict(self) -> dict[str, str]:
        """Return plain data for `checkpoint.json`."""
        return {"type": "character", "characters": self.characters}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> CharTokenizer:
        """Inverse of `to_dict`. Raises CheckpointError for any other record."""
        characters = record.get("characters")
        try:
            if record.keys() != {"type", "characters"} or record["type"] != "character":
                raise ValueError("it is of an unknown type")
            if not isinstance(characters, str):
                raise ValueError("it names no characters")
            characters.encode("utf-8")
            return cls(characters)
        except ValueError as error:
            raise CheckpointError(
                f"the checkpoint's tokenizer is damaged ({error}): take another checkpoint"
            ) from error


def code_points(text: str) -> Iterator[npt.NDArray[Any]]:
    """Yield the code points of `text` in chunks, one byte each for ASCII, else four."""
    encoding, kind = ("ascii", "u1") if text.isascii() else ("utf-32-le", "<u4")
    for start in range(0, len(text), _CHUNK):
        yield np.frombuffer(text[start : start + _CHUNK].encode(encoding, "surrogatepass"), dtype=kind)
